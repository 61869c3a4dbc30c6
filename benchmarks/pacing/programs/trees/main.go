// trees keeps sorted sets as persistent treaps: many small objects with pointers, old and new versions sharing nodes.
package main

import (
	"math/rand"

	"programs/probe"
)

type node struct {
	left, right *node
	key         int
	weight      uint32
	value       *int64
}

func insert(at *node, key int, weight uint32) *node {
	if at == nil {
		value := int64(key)
		return &node{key: key, weight: weight, value: &value}
	}
	copied := *at
	if key < at.key {
		copied.left = insert(at.left, key, weight)
		if l := copied.left; l.weight > copied.weight {
			up := *l
			copied.left, up.right = up.right, &copied
			return &up
		}
	} else if key > at.key {
		copied.right = insert(at.right, key, weight)
		if r := copied.right; r.weight > copied.weight {
			up := *r
			copied.right, up.left = up.left, &copied
			return &up
		}
	}
	return &copied
}

func remove(at *node, key int) *node {
	if at == nil {
		return nil
	}
	copied := *at
	switch {
	case key < at.key:
		copied.left = remove(at.left, key)
	case key > at.key:
		copied.right = remove(at.right, key)
	default:
		return merge(at.left, at.right)
	}
	return &copied
}

func merge(a, b *node) *node {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	if a.weight > b.weight {
		copied := *a
		copied.right = merge(a.right, b)
		return &copied
	}
	copied := *b
	copied.left = merge(a, b.left)
	return &copied
}

func main() {
	scale := probe.Begin()
	r := rand.New(rand.NewSource(3))
	var now *node
	var versions [8]*node
	for i := 0; i < 150000*scale; i++ {
		if i%5 != 4 {
			now = insert(now, r.Intn(1<<17), r.Uint32())
		} else {
			now = remove(now, r.Intn(1<<17))
		}
		if i%4096 == 0 {
			versions[i/4096%len(versions)] = now
		}
		if i%16 == 0 {
			probe.Look()
		}
	}
	probe.End()
}
