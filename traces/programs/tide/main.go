// tide rises and falls: buffers of all sizes, every one written, then three of
// four dropped, and with -rest a while in which the runtime gives memory back.
package main

import (
	"math/rand/v2"
	"strconv"

	"programs/memrec"
)

func main() {
	memrec.Start()
	rng := rand.New(rand.NewPCG(2, 9))
	var held [][]byte
	for round := range *memrec.Scale {
		for bytes := 0; bytes < 48<<20; {
			b := make([]byte, 64<<rng.IntN(9)+rng.IntN(64))
			for i := range b {
				b[i] = byte(i)
			}
			held = append(held, b)
			bytes += len(b)
		}
		memrec.Snap("high:" + strconv.Itoa(round))
		kept := held[:0:0]
		for i, b := range held {
			if i%4 == 0 && round%2 == 0 || i%16 == 0 {
				kept = append(kept, b)
			}
		}
		held = kept
		memrec.GC()
		memrec.Snap("rested:" + strconv.Itoa(round))
	}
	memrec.Stop()
}
