// Command churn allocates what allocfreetrace has to say something about: structs, closures, maps, strings, slices that
// grow, tiny and large objects; with its own lines on the standard error in between. Everything dies in the end.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strings"
)

type entry struct {
	next *entry
	key  string
	hits int
}

type point struct{ x, y, z float64 }

type cache struct {
	head *entry
	byID map[string]*entry
}

func (c *cache) put(key string) *entry {
	e := &entry{next: c.head, key: key}
	c.head = e
	c.byID[key] = e
	return e
}

var sink []func() int

func grow(n int) (total float64) {
	var points []point
	for i := 0; i < n; i++ {
		points = append(points, point{x: float64(i)})
	}
	for _, p := range points {
		total += p.x
	}
	return total
}

func words(text string) []string {
	found := strings.Fields(strings.ToLower(text))
	sort.Strings(found)
	return found
}

func round(number int) {
	c := &cache{byID: map[string]*entry{}}
	for i := 0; i < 40; i++ {
		e := c.put(fmt.Sprintf("key-%d-%d", number, i))
		sink = append(sink, func() int { return e.hits + i })
	}
	large := make([]byte, 100_000+number)
	large[0] = byte(grow(50))
	fmt.Fprintln(os.Stderr, "round", number, "has", len(words("The quick brown fox jumps")), "words,", len(large), "bytes")
	if number%3 == 2 {
		sink = nil
		runtime.GC()
	}
}

func main() {
	rounds := 6
	if len(os.Args) > 1 {
		fmt.Sscan(os.Args[1], &rounds)
	}
	for i := 0; i < rounds; i++ {
		round(i)
	}
	sink = nil
	runtime.GC()
}
