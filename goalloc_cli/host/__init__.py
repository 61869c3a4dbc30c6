"""The machine that goalloc runs on: files, pipes, processes, signals, progress."""
