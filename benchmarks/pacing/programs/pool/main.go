// pool serves requests with buffers that it keeps for later: a few big, old, pointer-free objects, and many small ones
// that die with their request, or wait in a queue.
package main

import (
	"math/rand"
	"strconv"
	"strings"

	"programs/probe"
)

type request struct {
	id     int
	header map[string]string
	body   []byte
	parts  []string
}

type buffers struct{ free [][]byte }

func (b *buffers) get(size int) []byte {
	for i := len(b.free) - 1; i >= 0 && i >= len(b.free)-4; i-- {
		if cap(b.free[i]) >= size {
			found := b.free[i]
			b.free = append(b.free[:i], b.free[i+1:]...)
			return found[:size]
		}
	}
	return make([]byte, size)
}

func (b *buffers) put(buffer []byte) {
	if len(b.free) < 400 {
		b.free = append(b.free, buffer)
	}
}

func main() {
	scale := probe.Begin()
	r := rand.New(rand.NewSource(5))
	var pool buffers
	var queue []*request
	sum := 0
	for i := 0; i < 120000*scale; i++ {
		made := &request{id: i, header: map[string]string{"id": strconv.Itoa(i), "host": "h" + strconv.Itoa(i%97)}}
		made.body = pool.get(1 << (8 + r.Intn(8)))
		for k := 0; k < r.Intn(6); k++ {
			made.parts = append(made.parts, strings.Repeat("part ", 1+r.Intn(20)))
		}
		queue = append(queue, made)
		// The queue swells and empties: waves of load.
		for len(queue) > 200+i/37%900 {
			done := queue[0]
			queue = queue[1:]
			sum += len(strings.Join(done.parts, ",")) + len(done.header)
			pool.put(done.body)
		}
		if i%16 == 0 {
			probe.Look()
		}
	}
	if sum == 0 {
		panic("nothing was served")
	}
	probe.End()
}
