// pprofserver is a server that has been running for two seconds when one second
// of it is recorded through /debug/pprof/trace, as one does with a server in
// use. The environment must have GODEBUG=traceallocfree=1. -scale is the number
// of visitors. With -ticks the recording has MemStats points in it.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	_ "net/http/pprof"
	"time"

	"programs/forum"
	"programs/memrec"
)

var ticks = flag.Bool("ticks", false, "take MemStats points during the recording")

// browse visits the site again and again, with short pauses.
func browse(site, visitor string) {
	for {
		memrec.Check(forum.Visit(site, visitor, 10))
		time.Sleep(20 * time.Millisecond)
	}
}

// record asks the server for one second of trace.
func record(site string) error {
	answer, err := http.Get(site + "/debug/pprof/trace?seconds=1")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("trace: %s", answer.Status)
	}
	file := memrec.Create()
	if file == nil {
		return fmt.Errorf("pprofserver needs -trace")
	}
	defer file.Close()
	_, err = io.Copy(file, answer.Body)
	return err
}

func main() {
	memrec.Begin()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	memrec.Check(err)
	http.Handle("/", forum.New()) // beside /debug/pprof/
	go http.Serve(listener, nil)
	site := "http://" + listener.Addr().String()
	for v := range *memrec.Scale {
		go browse(site, fmt.Sprintf("visitor %d", v))
	}
	time.Sleep(2 * time.Second)

	recorded := make(chan error)
	go func() { recorded <- record(site) }()
	if *ticks {
		for _, point := range []string{"tick:0", "tick:1", "tick:2"} {
			time.Sleep(300 * time.Millisecond)
			memrec.Snap(point)
		}
	}
	memrec.Check(<-recorded)
	memrec.Snap("end")
	memrec.Write()
}
