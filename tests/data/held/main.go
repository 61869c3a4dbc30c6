// held is a program for the tests of goalloc export: it keeps a part of what it
// allocates, and writes an execution trace and a heap profile of the same run.
package main

import (
	"context"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
)

func init() { runtime.MemProfileRate = 1 }

type order struct {
	id    int
	items []*item
	note  string
}

type item struct {
	name  string
	count int
	next  *item
	pad   [3]int
}

var (
	orders []*order
	cache  = map[string][]byte{}
	tables [][]*order
)

//go:noinline
func newItem(n int) *item { return &item{name: strconv.Itoa(n + 1000), count: n} }

//go:noinline
func newOrder(n int) *order {
	o := &order{id: n, note: string(make([]byte, 70+n%50))}
	for i := range 4 {
		o.items = append(o.items, newItem(n+i))
	}
	return o
}

//go:noinline
func fill(n int) {
	for i := range n {
		cache[strconv.Itoa(i)] = make([]byte, 1025)
		tables = append(tables, make([]*order, 5000+i))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	traced, err := os.Create(os.Args[1])
	check(err)
	profile, err := os.Create(os.Args[2])
	check(err)
	check(trace.Start(traced))
	for n := range 3000 {
		o := newOrder(n)
		if n%3 == 0 {
			orders = append(orders, o)
		}
	}
	fill(60)
	runtime.GC()
	runtime.GC()
	trace.Log(context.Background(), "memstats", "held")
	check(pprof.Lookup("heap").WriteTo(profile, 0))
	check(profile.Close())
	trace.Stop()
	check(traced.Close())
	runtime.KeepAlive(orders)
}
