// goreader iterates over the events of an execution trace with Go's own reader, and counts them: what import is held against.
// It stands in GOROOT's tree for the compiler (benchmarks/goreader.py), since the reader is internal.
package main

import (
	"bufio"
	"fmt"
	"internal/trace"
	"io"
	"os"
)

const bufferBytes = 1 << 20

func count(path string) (events int, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	reader, err := trace.NewReader(bufio.NewReaderSize(file, bufferBytes))
	if err != nil {
		return 0, err
	}
	for {
		if _, err = reader.ReadEvent(); err == io.EOF {
			return events, nil
		} else if err != nil {
			return events, err
		}
		events++
	}
}

func main() {
	events, err := count(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(events)
}
