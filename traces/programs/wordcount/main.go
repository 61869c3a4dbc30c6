// wordcount reads made-up text and counts its words and which word follows
// which: many strings, very small objects and maps that grow.
package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sort"
	"strings"

	"programs/memrec"
)

var syllables = strings.Fields("ba co di fe gu ha jo ki la mo nu pe ra si to va we xu yo za")

// word n is short if n is small, and the small n are the frequent ones.
func word(n uint64) string {
	var b strings.Builder
	for ; ; n /= uint64(len(syllables)) {
		b.WriteString(syllables[n%uint64(len(syllables))])
		if n < uint64(len(syllables)) {
			return b.String()
		}
	}
}

func text(rng *rand.Rand, words int) string {
	zipf := rand.NewZipf(rng, 1.2, 3, 100_000)
	var b strings.Builder
	for i := range words {
		w := word(zipf.Uint64())
		if i%11 == 0 {
			w = strings.ToUpper(w[:1]) + w[1:]
		}
		b.WriteString(w)
		b.WriteString([]string{" ", " ", " ", ", ", ".\n"}[rng.IntN(5)])
	}
	return b.String()
}

type statistics struct {
	count map[string]*int
	next  map[string][]string
}

func (s *statistics) read(r io.Reader) error {
	last := ""
	in := bufio.NewScanner(r)
	in.Split(bufio.ScanWords)
	for in.Scan() {
		w := strings.ToLower(strings.Trim(in.Text(), ",."))
		if s.count[w] == nil {
			s.count[w] = new(int)
		}
		*s.count[w]++
		s.next[last] = append(s.next[last], w)
		last = w
	}
	return in.Err()
}

func (s *statistics) print(w io.Writer) error {
	words := make([]string, 0, len(s.count))
	for w := range s.count {
		words = append(words, w)
	}
	sort.Slice(words, func(i, j int) bool {
		a, b := words[i], words[j]
		return *s.count[a] > *s.count[b] || *s.count[a] == *s.count[b] && a < b
	})
	out := bufio.NewWriter(w)
	for _, w := range words {
		fmt.Fprintf(out, "%6d %s %s\n", *s.count[w], w, strings.Join(s.next[w][:min(3, len(s.next[w]))], "/"))
	}
	return out.Flush()
}

func main() {
	memrec.Start()
	rng := rand.New(rand.NewPCG(11, 13))
	var recent [4]*statistics // what is older is dropped
	for round := range *memrec.Scale {
		s := &statistics{map[string]*int{}, map[string][]string{}}
		memrec.Check(s.read(strings.NewReader(text(rng, 4000))))
		memrec.Check(s.print(io.Discard))
		recent[round%len(recent)] = s
		memrec.GC()
	}
	fmt.Fprintln(os.Stderr, "different words at last:", len(recent[(*memrec.Scale+3)%len(recent)].count))
	memrec.Stop()
}
