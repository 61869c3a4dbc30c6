// Inhand gets into a known state of memory, and writes what people would have in hand then:
// MemStats in every form, a scrape, runtime/metrics, and what the system says of the process.
package main

import (
	"bytes"
	"encoding/json"
	_ "expvar"
	"flag"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"runtime/pprof"
	"sort"
	"strings"
	"sync"
	"time"
)

const mib = 1 << 20

var (
	kept   = map[int][]byte{}
	buffer []byte
)

// A state of memory whose cause is known.
var states = map[string]func(){
	// A map that the program holds: all of it is live.
	"live": func() {
		for i := 0; i < 200_000; i++ {
			kept[i] = touched(500)
		}
		runtime.GC()
	},
	// Goroutines that have ended, and no GC since: their stacks wait for others.
	"stacks": func() { goroutines(60_000, 0) },
	// The same with stacks that have grown: those become free pages at once.
	"grown": func() { goroutines(30_000, 18) },
	// A buffer of 1 GiB that nobody holds any more, under GOGC=off.
	"buffer": func() {
		debug.SetGCPercent(-1)
		buffer = touched(1024 * mib)
		buffer = nil
	},
	// The same, and one GC that the program asked for.
	"idle": func() {
		debug.SetGCPercent(-1)
		buffer = touched(1024 * mib)
		buffer = nil
		runtime.GC()
	},
	// Given back: under GODEBUG=madvdontneed=0 with MADV_FREE, which RSS counts until the system wants it.
	"released": func() {
		buffer = touched(300 * mib)
		buffer = nil
		debug.FreeOSMemory()
	},
	// Survivors, a few per span.
	"sparse": func() {
		for i := 0; i < 400_000; i++ {
			kept[i] = make([]byte, 300)
		}
		for i := 0; i < 400_000; i++ {
			if i%24 != 0 {
				delete(kept, i)
			}
		}
		runtime.GC()
		runtime.GC()
	},
	// Memory that C holds: what it is is in cgo.go.
	"cgo": func() { hold(200 * mib) },
}

var hold = func(size int) { panic("built without cgo") }

// goroutines starts n of them, so many calls deep, and lets all of them end at once.
func goroutines(n, depth int) {
	debug.SetGCPercent(1000)
	var started, done sync.WaitGroup
	gate := make(chan bool)
	for i := 0; i < n; i++ {
		started.Add(1)
		done.Add(1)
		go func() {
			defer done.Done()
			deep(depth)
			started.Done()
			<-gate
		}()
	}
	started.Wait()
	close(gate)
	done.Wait()
}

func touched(size int) []byte {
	made := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		made[i] = 1
	}
	return made
}

//go:noinline
func deep(n int) int {
	var room [256]byte
	if n > 0 {
		room[n] = byte(deep(n - 1))
	}
	return int(room[n/2])
}

func main() {
	state := flag.String("state", "live", "the state")
	out := flag.String("out", ".", "folder for the files")
	wait := flag.Duration("wait", 0, "how long to wait before they are written")
	flag.Parse()
	states[*state]()
	time.Sleep(*wait)

	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	status := system()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(*out, *state+"-"+name), []byte(text), 0o644); err != nil {
			panic(err)
		}
	}
	write("plus-v.txt", fmt.Sprintf("%+v\n", m))
	write("v.txt", fmt.Sprintf("%v\n", m))
	write("mib.txt", inMiB(&m))
	whole, _ := json.Marshal(&m)
	write("memstats.json", string(whole)+"\n")
	for name, text := range status {
		write(name, text)
	}
	recorder := httptest.NewRecorder()
	http.DefaultServeMux.ServeHTTP(recorder, httptest.NewRequest("GET", "/debug/vars", nil))
	write("expvar.json", recorder.Body.String())
	var profile bytes.Buffer
	pprof.Lookup("heap").WriteTo(&profile, 1)
	write("heap.txt", profile.String())
	text, asJSON, scrape := runtimeMetrics()
	write("metrics.txt", text)
	write("metrics.json", asJSON)
	runtime.ReadMemStats(&m)
	write("scrape.txt", scraped(&m)+scrape)
	runtime.KeepAlive(kept)
}

// system reads what the system says of this process.
func system() map[string]string {
	found := map[string]string{}
	for _, name := range []string{"smaps", "smaps_rollup", "status"} {
		text, err := os.ReadFile("/proc/self/" + name)
		if err == nil {
			found[name+".txt"] = string(text)
		}
	}
	return found
}

// inMiB is the print that many programs have.
func inMiB(m *runtime.MemStats) string {
	toMiB := func(b uint64) uint64 { return b / mib }
	return fmt.Sprintf("Alloc = %v MiB\tTotalAlloc = %v MiB\tSys = %v MiB\tNumGC = %v\n",
		toMiB(m.Alloc), toMiB(m.TotalAlloc), toMiB(m.Sys), m.NumGC)
}

// runtimeMetrics writes them as the package's own example does, as JSON, and as client_golang names them.
func runtimeMetrics() (text, asJSON, scrape string) {
	var samples []metrics.Sample
	for _, d := range metrics.All() {
		samples = append(samples, metrics.Sample{Name: d.Name})
	}
	metrics.Read(samples)
	values := map[string]any{}
	var lines, series strings.Builder
	for _, s := range samples {
		switch s.Value.Kind() {
		case metrics.KindUint64:
			values[s.Name] = s.Value.Uint64()
			fmt.Fprintf(&lines, "%s: %d\n", s.Name, s.Value.Uint64())
			fmt.Fprintf(&series, "# TYPE %s gauge\n%s %g\n", seriesOf(s.Name), seriesOf(s.Name), float64(s.Value.Uint64()))
		case metrics.KindFloat64:
			values[s.Name] = s.Value.Float64()
			fmt.Fprintf(&lines, "%s: %f\n", s.Name, s.Value.Float64())
		case metrics.KindFloat64Histogram:
			h := s.Value.Float64Histogram()
			fmt.Fprintf(&lines, "%s: %f\n", s.Name, median(h))
		}
	}
	whole, _ := json.MarshalIndent(values, "", "  ")
	return lines.String(), string(whole) + "\n", series.String()
}

func median(h *metrics.Float64Histogram) float64 {
	total := uint64(0)
	for _, count := range h.Counts {
		total += count
	}
	below := uint64(0)
	for i, count := range h.Counts {
		below += count
		if below*2 >= total && !math.IsInf(h.Buckets[i], 0) {
			return h.Buckets[i]
		}
	}
	return 0
}

// seriesOf is the name that client_golang gives: /memory/classes/heap/free:bytes is go_memory_classes_heap_free_bytes.
func seriesOf(name string) string {
	return "go" + strings.NewReplacer("/", "_", "-", "_", ":", "_", "*", "_").Replace(name)
}

// scraped is the part of a scrape that client_golang makes of MemStats and of /proc.
func scraped(m *runtime.MemStats) string {
	gauges := map[string]float64{
		"go_goroutines":                    float64(runtime.NumGoroutine()),
		"go_memstats_alloc_bytes":          float64(m.Alloc),
		"go_memstats_alloc_bytes_total":    float64(m.TotalAlloc),
		"go_memstats_sys_bytes":            float64(m.Sys),
		"go_memstats_mallocs_total":        float64(m.Mallocs),
		"go_memstats_frees_total":          float64(m.Frees),
		"go_memstats_heap_alloc_bytes":     float64(m.HeapAlloc),
		"go_memstats_heap_sys_bytes":       float64(m.HeapSys),
		"go_memstats_heap_idle_bytes":      float64(m.HeapIdle),
		"go_memstats_heap_inuse_bytes":     float64(m.HeapInuse),
		"go_memstats_heap_released_bytes":  float64(m.HeapReleased),
		"go_memstats_heap_objects":         float64(m.HeapObjects),
		"go_memstats_stack_inuse_bytes":    float64(m.StackInuse),
		"go_memstats_stack_sys_bytes":      float64(m.StackSys),
		"go_memstats_mspan_inuse_bytes":    float64(m.MSpanInuse),
		"go_memstats_mspan_sys_bytes":      float64(m.MSpanSys),
		"go_memstats_mcache_inuse_bytes":   float64(m.MCacheInuse),
		"go_memstats_mcache_sys_bytes":     float64(m.MCacheSys),
		"go_memstats_buck_hash_sys_bytes":  float64(m.BuckHashSys),
		"go_memstats_gc_sys_bytes":         float64(m.GCSys),
		"go_memstats_other_sys_bytes":      float64(m.OtherSys),
		"go_memstats_next_gc_bytes":        float64(m.NextGC),
		"go_memstats_last_gc_time_seconds": float64(m.LastGC) / 1e9,
		"process_resident_memory_bytes":    float64(rss()),
		"process_start_time_seconds":       1.79999998e+09,
		"go_gc_duration_seconds_count":     float64(m.NumGC),
		"process_max_fds":                  1024,
		"process_virtual_memory_max_bytes": math.Inf(1),
	}
	var names []string
	for name := range gauges {
		names = append(names, name)
	}
	sort.Strings(names)
	var lines strings.Builder
	fmt.Fprintf(&lines, "# HELP go_info Information about the Go environment.\n# TYPE go_info gauge\ngo_info{version=%q} 1\n",
		runtime.Version())
	for _, name := range names {
		fmt.Fprintf(&lines, "# TYPE %s gauge\n%s %v\n", strings.TrimSuffix(name, "_count"), name, gauges[name])
	}
	return strings.ReplaceAll(lines.String(), "+Inf", "1.8446744073709552e+19")
}

func rss() int {
	var size, resident int
	text, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		fmt.Sscan(string(text), &size, &resident)
	}
	return resident * os.Getpagesize()
}
