// calls has goroutines whose stacks grow to different depths, wait there, and
// end; in each round more of them than in the last.
package main

import (
	"strconv"
	"sync"

	"programs/memrec"
)

func deep(levels int, then func()) byte {
	var frame [200]byte
	frame[levels%200] = 1
	if levels == 0 {
		then()
		return frame[0]
	}
	return frame[levels%200] + deep(levels-1, then)
}

func main() {
	memrec.Start()
	for round := range *memrec.Scale {
		var arrived, ended sync.WaitGroup
		leave := make(chan struct{})
		for g := range 1500 * (round + 1) {
			arrived.Add(1)
			ended.Add(1)
			go func() {
				deep(g%40, func() {
					arrived.Done()
					<-leave
				})
				ended.Done()
			}()
		}
		arrived.Wait()
		memrec.Snap("high:" + strconv.Itoa(round))
		close(leave)
		ended.Wait()
		memrec.GC()
	}
	memrec.Stop()
}
