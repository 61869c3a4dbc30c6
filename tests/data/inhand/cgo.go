//go:build cgo

package main

/*
#include <stdlib.h>
#include <string.h>

static void *held;

static void holdBytes(size_t size) {
	for (size_t i = 0; i < size; i += 65536) {
		void **piece = malloc(65536);
		memset(piece, 1, 65536);
		*piece = held;
		held = piece;
	}
}
*/
import "C"

func init() {
	hold = func(size int) { C.holdBytes(C.size_t(size)) }
}
