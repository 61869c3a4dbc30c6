// lru is a cache that forgets the least recently used value. The sizes of the
// values change from round to round, some are larger than 32 KiB, and readers
// hold on to a few values for much longer than the cache does, so that spans
// stay half full.
package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"

	"programs/memrec"
)

type entry struct {
	newer, older *entry
	key          uint32
	label        string
	value        []byte
}

type cache struct {
	byKey  map[uint32]*entry
	ends   entry // ends.older is the newest entry, ends.newer the oldest
	bytes  int
	budget int
}

func newCache(budget int) *cache {
	c := &cache{byKey: map[uint32]*entry{}, budget: budget}
	c.ends.older, c.ends.newer = &c.ends, &c.ends
	return c
}

func (c *cache) link(e *entry) {
	e.newer, e.older = &c.ends, c.ends.older
	e.older.newer, c.ends.older = e, e
}

func unlink(e *entry) {
	e.newer.older, e.older.newer = e.older, e.newer
	e.newer, e.older = nil, nil
}

func (c *cache) get(key uint32) *entry {
	e := c.byKey[key]
	if e != nil {
		unlink(e)
		c.link(e)
	}
	return e
}

func (c *cache) put(e *entry) {
	c.byKey[e.key] = e
	c.link(e)
	for c.bytes += len(e.value); c.bytes > c.budget; {
		oldest := c.ends.newer
		unlink(oldest)
		delete(c.byKey, oldest.key)
		c.bytes -= len(oldest.value)
	}
}

// newestFirst is one large object full of pointers when the cache is full.
func (c *cache) newestFirst() []*entry {
	list := make([]*entry, 0, len(c.byKey))
	for e := c.ends.older; e != &c.ends; e = e.older {
		list = append(list, e)
	}
	return list
}

// size draws the length of a value: the same number of values for each power
// of two, in a band that moves with the round, and now and then a large one.
func size(rng *rand.Rand, round int) int {
	if rng.IntN(120) == 0 {
		return 32<<10 + rng.IntN(96<<10)
	}
	low := 8 << (rng.IntN(4) + round%4)
	return low + rng.IntN(low)
}

func main() {
	memrec.Start()
	rng := rand.New(rand.NewPCG(3, 5))
	c := newCache(2 << 20)
	var held [1500]*entry // by the readers
	var list []*entry
	hits := 0
	for round := range *memrec.Scale {
		for i := range 5000 {
			key := uint32(rng.ExpFloat64() * 6000)
			e := c.get(key)
			if e != nil {
				hits++
			} else {
				e = &entry{key: key, label: "entry " + strconv.Itoa(int(key)), value: make([]byte, size(rng, round))}
				c.put(e)
			}
			if i%40 == 0 && len(e.value) < 8<<10 {
				held[rng.IntN(len(held))] = e
			}
			if i%1000 == 0 {
				list = c.newestFirst()
			}
		}
		memrec.GC()
	}
	fmt.Fprintln(os.Stderr, "hits:", hits, "entries:", len(c.byKey), "last list:", len(list))
	memrec.Stop()
}
