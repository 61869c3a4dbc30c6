// blobs has a few large objects, of which it writes every other one: memory
// that a program has, and never touched, is not resident.
package main

import (
	"strconv"

	"programs/memrec"
)

func main() {
	memrec.Start()
	var held [][]byte
	for round := range *memrec.Scale {
		for n := range 8 {
			b := make([]byte, (1+n%3)<<20)
			if n%2 == 0 {
				for i := 0; i < len(b); i += 512 {
					b[i] = 1
				}
			}
			held = append(held, b)
		}
		memrec.Snap("high:" + strconv.Itoa(round))
		if round%3 == 2 {
			held = held[len(held)/2:]
		}
		memrec.GC()
	}
	memrec.Stop()
}
