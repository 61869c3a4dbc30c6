// index is a growing table of documents by name: many small objects with
// pointers, nearly all of which stay.
package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"

	"programs/memrec"
)

type document struct {
	name   string
	words  []string
	next   *document
	visits int
}

func main() {
	memrec.Start()
	rng := rand.New(rand.NewPCG(11, 7))
	byName := map[string]*document{}
	var last *document
	for round := range *memrec.Scale {
		for i := range 12000 {
			d := &document{name: "document " + strconv.Itoa(round*12000+i), next: last}
			for range 2 + rng.IntN(5) {
				d.words = append(d.words, "word "+strconv.Itoa(rng.IntN(1<<30)))
			}
			byName[d.name] = d
			if last = d; rng.IntN(4) == 0 {
				last = nil
			}
			if i%9 == 0 {
				delete(byName, "document "+strconv.Itoa(rng.IntN(round*12000+i+1)))
			}
		}
		memrec.GC()
	}
	fmt.Fprintln(os.Stderr, "documents:", len(byName))
	memrec.Stop()
}
