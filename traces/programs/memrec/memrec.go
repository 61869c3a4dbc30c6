// Package memrec records one run of a program: an execution trace and, in a
// JSON file beside it, what runtime.ReadMemStats said at named points. The
// trace logs the name of each point under the key "memstats", so a reader can
// lay the two files side by side.
package memrec

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/trace"
	"strconv"
	"syscall"
	"time"
)

var (
	Scale     = flag.Int("scale", 1, "amount of work, in rounds")
	traceFile = flag.String("trace", "", "write an execution trace to `FILE`")
	jsonFile  = flag.String("json", "", "write the MemStats of all points to `FILE`")
	every     = flag.Int("every", 1, "collect garbage and take a point only after every `N`th round")
	rest      = flag.Duration("rest", 0, "sleep for this long after every round")
)

type snap struct {
	Point string
	NS    int64 // since the program began
	RSS   int64 `json:",omitempty"` // bytes, where /proc tells them
	M     runtime.MemStats
}

// maxSnaps is enough for "pre", "start", "end" and 61 collections.
const maxSnaps = 64

// Taking a snapshot must not change what it measures, so all the storage is
// static and the names of the points are made in advance.
var (
	snaps   [maxSnaps]snap
	taken   int
	gcNames [maxSnaps]string
	gcs     int
	rounds  int

	began time.Time
	out   *os.File

	statm     = -1 // the open file /proc/self/statm
	statmText [128]byte
	pageSize  = os.Getpagesize()
)

// Begin parses the flags and takes the point "pre".
// Programs that make their trace themselves call Begin, Snap and Write;
// all others call Start, GC and Stop.
func Begin() {
	flag.Parse()
	for i := range gcNames {
		gcNames[i] = "gc:" + strconv.Itoa(i)
	}
	began = time.Now()
	if f, err := syscall.Open("/proc/self/statm", syscall.O_RDONLY, 0); err == nil {
		statm = f
	}
	Snap("pre")
}

// rss is what the second number of statm says, in pages. It allocates nothing.
func rss() int64 {
	if statm < 0 {
		return 0
	}
	n, err := syscall.Pread(statm, statmText[:], 0)
	if err != nil || n == 0 {
		return 0
	}
	pages, field := int64(0), 0
	for _, c := range statmText[:n] {
		if c == ' ' {
			field++
		} else if field == 1 {
			pages = pages*10 + int64(c-'0')
		}
	}
	return pages * int64(pageSize)
}

// Create creates the file for the trace. It returns nil if none is wanted.
func Create() *os.File {
	if *traceFile == "" {
		return nil
	}
	f, err := os.Create(*traceFile)
	Check(err)
	return f
}

// Start begins, starts the trace and takes the point "start".
func Start() {
	Begin()
	if out = Create(); out != nil {
		Check(trace.Start(out))
	}
	Snap("start")
}

// GC ends a round: it collects the garbage and takes the next of the points
// "gc:0", "gc:1" and so on, as long as there is room for them and for "end".
func GC() {
	rounds++
	if rounds%max(1, *every) == 0 {
		runtime.GC()
		if taken < maxSnaps-1 {
			Snap(gcNames[gcs])
			gcs++
		}
	}
	time.Sleep(*rest)
}

// Snap takes the point with this name. Only one goroutine may take points.
func Snap(point string) {
	s := &snaps[taken]
	taken++
	s.Point = point
	trace.Log(context.Background(), "memstats", point)
	runtime.ReadMemStats(&s.M)
	s.RSS = rss()
	s.NS = time.Since(began).Nanoseconds()
}

// Stop takes the point "end", stops the trace and writes the JSON file.
func Stop() {
	Snap("end")
	if out != nil {
		trace.Stop()
		Check(out.Close())
	}
	Write()
}

// Write writes the JSON file.
func Write() {
	wall := time.Since(began)
	if *jsonFile == "" {
		return
	}
	for i := range snaps[:taken] { // of no use to a reader, and long
		snaps[i].M.PauseNs = [256]uint64{}
		snaps[i].M.PauseEnd = [256]uint64{}
	}
	f, err := os.Create(*jsonFile)
	Check(err)
	Check(json.NewEncoder(f).Encode(map[string]any{
		"go":         runtime.Version(),
		"gomaxprocs": runtime.GOMAXPROCS(0),
		"wall_ns":    wall.Nanoseconds(),
		"args":       os.Args[1:],
		"snaps":      snaps[:taken],
	}))
	Check(f.Close())
}

// Check ends the program if something that it cannot do without has failed.
func Check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
