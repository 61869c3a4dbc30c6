"""Who sweeps when (runtime/mgcsweep.go, mheap.go, reclaim)."""
