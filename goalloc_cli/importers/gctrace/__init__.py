"""Lines that the collector and the scavenger print, of every age: GODEBUG=gctrace, scavtrace, gcpacertrace."""
