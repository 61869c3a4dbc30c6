// phases loads a table, answers from it, drops it for one of another shape, and again: the live heap goes up and down,
// and what one phase leaves free another has to fit in.
package main

import (
	"fmt"
	"math/rand"

	"programs/probe"
)

type row struct {
	key    string
	fields []int64
	next   *row
}

var kept int

func load(r *rand.Rand, n int) map[int]*row {
	table := make(map[int]*row)
	var last *row
	for i := 0; i < n; i++ {
		made := &row{key: fmt.Sprintf("row-%07d", r.Intn(1<<24)), fields: make([]int64, 2+r.Intn(12)), next: last}
		if i%9 != 0 {
			last = made
		} else {
			last = nil
		}
		table[i] = made
		if i%32 == 0 {
			probe.Look()
		}
	}
	return table
}

func answer(r *rand.Rand, table map[int]*row, n int) {
	for i := 0; i < n; i++ {
		found := table[r.Intn(len(table))]
		text := make([]byte, 0, 64+r.Intn(512))
		for found != nil {
			text = append(text, found.key...)
			found = found.next
		}
		kept += len(text)
		if i%64 == 0 {
			probe.Look()
		}
	}
}

func blocks(r *rand.Rand, n int) {
	held := make([][]byte, 96)
	for i := 0; i < n; i++ {
		size := 1 << (9 + r.Intn(8))
		held[r.Intn(len(held))] = make([]byte, size+r.Intn(size))
		probe.Look()
	}
	for _, block := range held {
		kept += len(block)
	}
}

func main() {
	scale := probe.Begin()
	r := rand.New(rand.NewSource(11))
	for round := 0; round < 3*scale; round++ {
		table := load(r, 40000+20000*(round%3))
		answer(r, table, 60000)
		table = nil
		blocks(r, 3000)
	}
	probe.End()
}
