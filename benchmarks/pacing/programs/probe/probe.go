// Package probe watches a program's heap from inside, without a stop of the world, and writes down what it saw.
package probe

import (
	"encoding/json"
	"flag"
	"os"
	"runtime"
	"runtime/metrics"
	"runtime/trace"
)

var (
	jsonPath  = flag.String("json", "", "where to write what was seen")
	tracePath = flag.String("trace", "", "where to write an execution trace")
	rounds    = flag.Int("scale", 1, "how much work")

	samples = []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	inuse, mapped, beside uint64
	traceFile             *os.File
)

// Begin reads the flags, starts a trace if one is asked for, and returns how much work to do.
func Begin() int {
	flag.Parse()
	Look()
	if *tracePath != "" {
		file, err := os.Create(*tracePath)
		if err == nil {
			err = trace.Start(file)
		}
		if err != nil {
			panic(err)
		}
		traceFile = file
	}
	return *rounds
}

func max(a, b uint64) uint64 {
	if a > b {
		return a
	}
	return b
}

// Look takes a sample; one goroutine calls it, every few KiB of allocation.
func Look() {
	metrics.Read(samples)
	of := func(i int) uint64 { return samples[i].Value.Uint64() }
	inuse = max(inuse, of(0)+of(1))
	mapped = max(mapped, of(2)-of(3))
	beside = max(beside, of(2)-of(3)-of(0)-of(1)-of(4)-of(5))
}

// End writes everything down.
func End() {
	Look()
	if traceFile != nil {
		trace.Stop()
		traceFile.Close()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	seen, err := json.Marshal(map[string]any{
		"go": runtime.Version(), "numgc": stats.NumGC, "heap_sys": stats.HeapSys, "total_alloc": stats.TotalAlloc,
		"peak_inuse": inuse, "peak_mapped": mapped, "peak_beside": beside,
	})
	if err == nil {
		err = os.WriteFile(*jsonPath, seen, 0o644)
	}
	if err != nil && *jsonPath != "" {
		panic(err)
	}
}
