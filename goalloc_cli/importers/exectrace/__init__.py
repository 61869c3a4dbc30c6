"""Go execution traces (Go 1.23 and later) recorded with GODEBUG=traceallocfree=1."""
