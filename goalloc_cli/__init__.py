"""goalloc: replays Go memory-allocation traces through a full model of Go's allocator."""

__version__ = "0.1.0"
