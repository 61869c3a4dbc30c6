"""When a collection starts, and how fast memory is given back (runtime/mgcpacer.go, mgcscavenge.go)."""
