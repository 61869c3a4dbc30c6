// web is a server and its visitors in one process, connected by the loopback
// interface: many goroutines whose stacks come and go. Meant for GOMAXPROCS=4.
package main

import (
	"fmt"
	"net"
	"net/http"
	"sync"

	"programs/forum"
	"programs/memrec"
)

func main() {
	memrec.Start()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	memrec.Check(err)
	go http.Serve(listener, forum.New())
	site := "http://" + listener.Addr().String()
	for round := range *memrec.Scale {
		var visitors sync.WaitGroup
		for v := range 12 {
			visitors.Add(1)
			go func() {
				defer visitors.Done()
				memrec.Check(forum.Visit(site, fmt.Sprintf("visitor %d of round %d", v, round), 10))
			}()
		}
		visitors.Wait()
		memrec.GC()
	}
	memrec.Stop()
}
