//go:build go1.25

// flight runs for five seconds with a flight recorder on, and writes at the
// end what the recorder still remembers: the last seconds, and not the first
// generation with its picture of the heap. -scale is the amount of work in each
// of the fifty steps; only some of the points in the JSON file are in the trace.
package main

import (
	"fmt"
	"os"
	"runtime/trace"
	"time"

	"programs/memrec"
)

type message struct {
	number int
	text   string
	parts  [][]byte
}

func receive(number int) *message {
	m := &message{number: number, text: fmt.Sprintf("message %d", number)}
	for i := range 1 + number%7 {
		m.parts = append(m.parts, make([]byte, 10<<(i+number%3)))
	}
	return m
}

func main() {
	memrec.Begin()
	file := memrec.Create()
	recorder := trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: time.Second, MaxBytes: 64 << 20})
	memrec.Check(recorder.Start())
	memrec.Snap("start")

	var inbox [500]*message
	number := 0
	for step := range 50 {
		for range *memrec.Scale * 100 {
			m := receive(number)
			if number%9 == 0 {
				inbox[number*7%len(inbox)] = m
			}
			number++
		}
		time.Sleep(100 * time.Millisecond)
		if step%5 == 4 {
			memrec.GC()
		}
	}

	memrec.Snap("end")
	if file == nil {
		fmt.Fprintln(os.Stderr, "flight: no -trace, nothing written")
	} else {
		_, err := recorder.WriteTo(file)
		memrec.Check(err)
		memrec.Check(file.Close())
	}
	recorder.Stop()
	memrec.Write()
}
