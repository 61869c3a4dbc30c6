"""The page heap of every release (runtime/mpagealloc.go, mpagecache.go, mgcscavenge.go; mgclarge.go before)."""
