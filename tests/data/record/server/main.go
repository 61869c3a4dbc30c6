// server can be recorded through /debug/pprof/. It prints its address, and ends
// when its standard input does.
package main

import (
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"time"
)

type parcel struct {
	label [5]int
	next  *parcel
}

var parcels *parcel

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, nil)
	go func() {
		for {
			parcels = nil
			for range 1000 {
				parcels = &parcel{next: parcels}
			}
			time.Sleep(time.Millisecond)
		}
	}()
	fmt.Println(listener.Addr())
	os.Stdin.Read(make([]byte, 1))
}
