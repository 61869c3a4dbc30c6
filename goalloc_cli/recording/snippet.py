"""The lines of Go with which a program records itself."""

SNIPPET = """\
package main // or the package that you put this into

import (
	"context"
	"os"
	"runtime"
	"runtime/trace"
	"strings"
)

// recordAllocs writes every allocation and every free of the program to a file,
// from now until stop is called. It needs Go 1.23 or newer.
//
//	stop, err := recordAllocs("app.trace")
//	...
//	err = stop()
//
// Then: goalloc replay app.trace
func recordAllocs(file string) (stop func() error, err error) {
	// Go reads this when a trace starts. What GODEBUG holds is kept.
	os.Setenv("GODEBUG", strings.TrimPrefix(os.Getenv("GODEBUG")+",traceallocfree=1", ","))
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := trace.Start(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() error {
		trace.Stop()
		return f.Close()
	}, nil
}

// checkpoint is optional: goalloc shows the heap at each point under its name.
// The MemStats are what a replay can be compared with.
func checkpoint(name string) (m runtime.MemStats) {
	trace.Log(context.Background(), "memstats", name)
	runtime.ReadMemStats(&m)
	return m
}
"""
