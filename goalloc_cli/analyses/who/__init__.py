"""Who allocates, and who holds what lives: by goroutine, user task and region, type and call stack."""
