"""Who allocates: which goroutine each M runs, and in which user task and region."""
