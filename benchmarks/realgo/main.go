// realgo performs a list of allocations and frees for real, and prints the nanoseconds that each took.
//
// An operation is a little-endian word of 64 bits: the handle in the low 32, then 30 bits of size, then a bit that is set
// for memory without pointers, then a bit that is set where the handle is dropped instead. Dropping is all that a Go
// program can do to free an object, so its price is that of the collections that follow.
//
// The list is mapped, not read: on the heap it would raise the collector's goal.
package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

const (
	sizeShift = 32
	sizeMask  = 1<<30 - 1
	noscan    = 1 << 62
	drop      = 1 << 63
)

func main() {
	if len(os.Args) != 2 {
		fail(fmt.Errorf("usage: realgo OPERATIONS"))
	}
	ops, err := mapped(os.Args[1])
	if err != nil {
		fail(err)
	}
	var highest uint32
	for _, op := range ops {
		highest = max(highest, uint32(op))
	}
	held := make([]unsafe.Pointer, int(highest)+1)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	perform(ops, held)
	spent := time.Since(start)
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(held)
	fmt.Printf("{\"go\": %q, \"gomaxprocs\": %d, \"operations\": %d, \"ns_per_operation\": %.3f, \"gc_cycles\": %d, \"heap_sys\": %d}\n",
		runtime.Version(), runtime.GOMAXPROCS(0), len(ops), float64(spent.Nanoseconds())/float64(len(ops)),
		after.NumGC-before.NumGC, after.HeapSys)
}

// perform keeps what is allocated in held, at its handle, until it is dropped.
func perform(ops []uint64, held []unsafe.Pointer) {
	for _, op := range ops {
		handle := uint32(op)
		if op&drop != 0 {
			held[handle] = nil
			continue
		}
		size := int(op >> sizeShift & sizeMask)
		if op&noscan != 0 {
			held[handle] = unsafe.Pointer(unsafe.SliceData(make([]byte, size)))
		} else {
			held[handle] = unsafe.Pointer(unsafe.SliceData(make([]unsafe.Pointer, (size+7)/8)))
		}
	}
}

// mapped returns the operations in the file, all of them in memory.
func mapped(path string) ([]uint64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	data, err := syscall.Mmap(int(file.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_PRIVATE|syscall.MAP_POPULATE)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(data))), len(data)/8), nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "realgo:", err)
	os.Exit(1)
}
