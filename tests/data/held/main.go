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
	"sync"
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

type stack[T any] struct {
	top  T
	rest *stack[T]
}

func (s *stack[T]) pushed(top T) *stack[T] { return &stack[T]{top, s} }

func pushAll[T any](n int, next func(int) T) (s *stack[T]) {
	for i := range n {
		s = s.pushed(next(i))
	}
	return s
}

// rescued makes something in a deferred call, while a panic unwinds.
func rescued(n int) (o *order) {
	defer func() {
		if recover() != nil {
			o = newOrder(n)
		}
	}()
	var none *order
	return none.items[n].next2()
}

func (i *item) next2() *order { return nil }

// spread has a goroutine for each of n parts.
func spread(n int) {
	var all sync.WaitGroup
	parts := make([]*order, n)
	for i := range n {
		all.Add(1)
		go func() {
			defer all.Done()
			parts[i] = rescued(i)
		}()
	}
	all.Wait()
	tables = append(tables, parts)
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
	another := (*stack[*order])(nil).pushed
	names := another(newOrder(1))
	numbers := pushAll(200, func(i int) int { return i })
	names.rest = pushAll(100, func(i int) *order { return newOrder(i) })
	spread(40)
	runtime.GC()
	runtime.GC()
	trace.Log(context.Background(), "memstats", "held")
	check(pprof.Lookup("heap").WriteTo(profile, 0))
	check(profile.Close())
	trace.Stop()
	check(traced.Close())
	runtime.KeepAlive(orders)
	runtime.KeepAlive(numbers)
	runtime.KeepAlive(names)
}
