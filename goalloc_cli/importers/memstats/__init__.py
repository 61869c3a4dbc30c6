"""What people have in hand: prints of MemStats, expvar, heap?debug=1, scrapes, runtime/metrics, /proc, cgroups."""
