"""What another GOGC and GOMEMLIMIT would have done: `goalloc pace`."""
