// known records itself while it allocates known sizes. It prints how often each line allocated each size, as
// "mark size times"; a line is known by its mark, the comment behind it.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/trace"
	"strings"
	"unsafe"
)

type (
	node struct {
		a, b *node
	}
	flat   struct{ x, y, z int64 }
	header struct {
		p *int
		n [70]int64
	}
)

var (
	bytesKept   = make([][]byte, 0, 10000)
	stringsKept = make([]string, 0, 10000)
	wordsKept   = make([][]*int, 0, 10000)
	nodesKept   = make([]*node, 0, 10000)
	flatsKept   = make([]*flat, 0, 10000)
	headersKept = make([]*header, 0, 10000)
	boxesKept   = make([]any, 0, 10000)
	callsKept   = make([]func() int, 0, 10000)
	mapsKept    = make([]map[int]int, 0, 100)
	grown       []int64
	joined      []byte
	text        = strings.Repeat("x", 2<<20)
	asked       = map[string]map[int]int{}
)

// ask counts what a line is about to ask for. Its maps are made before the recording begins.
func ask(mark string, size int) { asked[mark][size]++ }

func classes() []int {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	found := []int{1, 2, 3, 4, 5, 7, 20480, 21760, 24576, 27264, 28672, 32768, 65536, 1 << 20}
	for _, class := range m.BySize {
		if class.Size > 0 {
			found = append(found, int(class.Size))
		}
	}
	return found
}

// work does all of it; the first time only to learn which sizes there are.
func work(sizes []int) {
	for _, class := range sizes {
		for n := max(class-1, 1); n <= class+1; n++ {
			ask("bytes", n)
			bytesKept = append(bytesKept, make([]byte, n)) // bytes
			if n > 1 {
				ask("joined", n)
				stringsKept = append(stringsKept, text[:n-1]+"y") // joined
				ask("text", n)
				stringsKept = append(stringsKept, string(bytesKept[len(bytesKept)-1])) // text
			}
		}
		for n := max(class/8-1, 1); n <= class/8+1; n++ {
			ask("words", 8*n)
			wordsKept = append(wordsKept, make([]*int, n)) // words
		}
	}
	for i := range 100 {
		ask("node", int(unsafe.Sizeof(node{})))
		nodesKept = append(nodesKept, new(node)) // node
		ask("flat", int(unsafe.Sizeof(flat{})))
		flatsKept = append(flatsKept, &flat{1, 2, int64(i)}) // flat
		ask("header", int(unsafe.Sizeof(header{})))
		headersKept = append(headersKept, &header{}) // header
		ask("box", 8)
		boxesKept = append(boxesKept, int64(i+1000)) // box
		a, b, c := i, i+1, i+2
		ask("closure", 32)
		callsKept = append(callsKept, func() int { return a + b + c }) // closure
	}
	for i := range 2000 {
		if before := cap(grown); i == before {
			grown = append(grown, int64(i)) // append
			ask("append", 8*cap(grown))
		} else {
			grown = append(grown, int64(i))
		}
	}
	for n := 1; n < 50000; n = n*3/2 + 1 {
		joined = []byte(text[:n]) // convert
		ask("convert", cap(joined))
	}
	for range 10 {
		m := make(map[int]int, 100) // map
		for i := range 1000 {
			m[i] = i // assign
		}
		mapsKept = append(mapsKept, m)
	}
}

func main() {
	for _, mark := range strings.Fields("bytes joined text words node flat header box closure append convert") {
		asked[mark] = map[int]int{}
	}
	sizes := classes()
	work(sizes)
	for _, counts := range asked {
		for size := range counts {
			counts[size] = 0
		}
	}
	bytesKept, stringsKept, wordsKept, nodesKept = bytesKept[:0], stringsKept[:0], wordsKept[:0], nodesKept[:0]
	flatsKept, headersKept, boxesKept, callsKept = flatsKept[:0], headersKept[:0], boxesKept[:0], callsKept[:0]
	mapsKept, grown = mapsKept[:0], nil
	f, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	if err := trace.Start(f); err != nil {
		panic(err)
	}
	work(sizes)
	trace.Stop()
	f.Close()
	for mark, counts := range asked {
		for size, times := range counts {
			fmt.Println(mark, size, times)
		}
	}
}
