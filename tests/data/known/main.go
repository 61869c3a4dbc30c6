// known records itself while it allocates known sizes, and prints how many bytes each
// line asked for.
package main

import (
	"fmt"
	"os"
	"runtime/trace"
	"strings"
)

type small struct{ a, b *int }

var (
	bytesKept  [][]byte
	smallKept  []*small
	pointers   [][]*int
	stringKept []string
	mapKept    map[int]int
	grown      []int64
	text       = strings.Repeat("x", 40000)
	asked      = map[string]int{}
	sizes      = []int{
		1, 2, 3, 5, 7, 8, 9, 12, 15, 16, 17, 23, 24, 25, 31, 32, 33, 47, 48, 49, 63, 64, 65, 80, 81, 112, 113,
		511, 512, 513, 520, 1023, 1024, 1025, 2048, 2049, 8191, 8192, 8193, 32759, 32760, 32761, 32767, 32768,
		32769, 40960, 40961, 65535, 65536, 65537, 1 << 20, 1<<20 + 1,
	}
)

func main() {
	bytesKept = make([][]byte, 0, 10000)
	smallKept = make([]*small, 0, 10000)
	pointers = make([][]*int, 0, 10000)
	stringKept = make([]string, 0, 10000)
	name := map[string]string{"bytes": "main.go:40", "small": "main.go:45", "pointers": "main.go:49", "strings": "main.go:53", "append": "main.go:60"}
	f, _ := os.Create(os.Args[1])
	trace.Start(f)
	for range 3 {
		for _, n := range sizes {
			bytesKept = append(bytesKept, make([]byte, n))
			asked["bytes"] += n
		}
	}
	for range 100 {
		smallKept = append(smallKept, new(small))
		asked["small"] += 16
	}
	for n := 1; n < 6000; n = n*3/2 + 1 {
		pointers = append(pointers, make([]*int, n))
		asked["pointers"] += 8 * n
	}
	for n := 1; n < 40000; n = n*3/2 + 1 {
		stringKept = append(stringKept, text[:n-1]+"y"[:1])
		if n > 1 {
			asked["strings"] += n
		}
	}
	for i := range 2000 {
		before := cap(grown)
		grown = append(grown, int64(i))
		if cap(grown) != before {
			asked["append"] += 8 * cap(grown)
		}
	}
	trace.Stop()
	f.Close()
	for what, bytes := range asked {
		fmt.Println(name[what], bytes, what)
	}
}
