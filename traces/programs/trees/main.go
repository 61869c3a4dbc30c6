// trees builds binary search trees, keeps some of them, cuts branches off these
// and drops the rest.
//
// The workers live as long as the program, and stretch their stacks before the
// work begins. Programs that start a goroutine for every tree, so that stacks
// grow all the time, have made Go 1.24, 1.26 and 1.27 write broken traces.
package main

import (
	"fmt"
	"math/rand/v2"
	"os"

	"programs/memrec"
)

type node struct {
	left, right *node
	key         uint32
}

// insert needs no recursion, so the stack stays as it is.
func insert(root **node, key uint32) {
	for *root != nil {
		if key < (*root).key {
			root = &(*root).left
		} else {
			root = &(*root).right
		}
	}
	*root = &node{key: key}
}

// cut drops the branch that is found some steps down.
func cut(root **node, path uint64) {
	for ; *root != nil && path > 1; path >>= 1 {
		if path&1 == 0 {
			root = &(*root).left
		} else {
			root = &(*root).right
		}
	}
	*root = nil
}

func (n *node) count() int {
	if n == nil {
		return 0
	}
	return 1 + n.left.count() + n.right.count()
}

type task struct{ trees, size int }

const workers = 4

func work(id uint64, tasks <-chan task, counts chan<- int) {
	stretch(40)
	rng := rand.New(rand.NewPCG(7, id))
	var forest [24]*node
	for t := range tasks {
		for i := range t.trees {
			var root *node
			for range t.size {
				insert(&root, rng.Uint32())
			}
			if i%4 == 0 {
				forest[rng.IntN(len(forest))] = root
			}
			cut(&forest[rng.IntN(len(forest))], 8+rng.Uint64N(8))
		}
		n := 0
		for _, tree := range forest {
			n += tree.count()
		}
		counts <- n
	}
}

// stretch makes the stack of its goroutine grow to some 32 KiB.
//
//go:noinline
func stretch(depth int) (sum byte) {
	var frame [500]byte
	if depth > 0 {
		frame[depth] = stretch(depth-1) + 1
	}
	for _, b := range frame {
		sum += b
	}
	return sum
}

func main() {
	memrec.Start()
	tasks, counts := make(chan task), make(chan int, workers)
	for id := range uint64(workers) {
		go work(id, tasks, counts)
	}
	alive := 0
	for range *memrec.Scale {
		for size := 16; size <= 1024; size *= 4 {
			for range workers {
				tasks <- task{trees: 1024 / size, size: size}
			}
			alive = 0
			for range workers {
				alive += <-counts
			}
		}
		memrec.GC()
	}
	fmt.Fprintln(os.Stderr, "nodes alive:", alive)
	memrec.Stop()
}
