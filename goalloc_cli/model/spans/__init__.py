"""Spans and who holds them (runtime/mheap.go, mcentral.go)."""
