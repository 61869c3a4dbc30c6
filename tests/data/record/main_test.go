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
