// recorded is a program for the tests of goalloc record: with -trace it records
// itself.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/trace"
	"time"
)

type parcel struct {
	label [5]int
	next  *parcel
}

var (
	traceFile = flag.String("trace", "", "write an execution trace to `FILE`")
	wait      = flag.Bool("wait", false, "go on until interrupted")
	parcels   *parcel
)

func pack(n int) {
	parcels = nil
	for range n {
		parcels = &parcel{next: parcels}
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	flag.Parse()
	if *traceFile != "" {
		f, err := os.Create(*traceFile)
		check(err)
		check(trace.Start(f))
		defer f.Close()
		defer trace.Stop()
	}
	pack(1000)
	interrupted := make(chan os.Signal, 2)
	signal.Notify(interrupted, os.Interrupt)
	fmt.Println("packed")
	if *wait {
		select {
		case <-interrupted:
		case <-time.After(30 * time.Second):
			os.Exit(1)
		}
		time.Sleep(100 * time.Millisecond)
		fmt.Println("interrupts:", 1+len(interrupted))
	}
}
