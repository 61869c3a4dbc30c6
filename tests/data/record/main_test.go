package main

import (
	"fmt"
	"os"
	"testing"
)

func TestPack(t *testing.T) {
	pack(1000)
	fmt.Println("GODEBUG is", os.Getenv("GODEBUG"))
}

func TestBroken(t *testing.T) {
	pack(1000)
	if os.Getenv("BREAK") != "" {
		t.Fatal("broken as asked")
	}
}

// down packs on some level of a new stack. On one of them too little of the stack
// is left for the tracer to take a new buffer; Go as it is breaks the recording there.
//
//go:noinline
func down(levels int) {
	if levels == 0 {
		pack(100)
		return
	}
	down(levels - 1)
}

func TestGrow(t *testing.T) {
	for round := range 60 * 150 {
		done := make(chan bool)
		go func() {
			down(round % 60)
			close(done)
		}()
		<-done
	}
}
