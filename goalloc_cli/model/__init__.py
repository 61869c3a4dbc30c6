"""The allocator: up to the page allocator, back to the OS.

A goroutine on P asks `malloc` for memory. A small object comes from the span that P caches (`mcache`); when that span is
full, `refill` hands it back and asks the class's `mcentral` for another, which may have to sweep one first (`sweep`,
`sweeper`). When none has room, `mheap` cuts a new span out of free pages: from P's own 64 pages (`pagecache`), from the
bitmap of the whole heap (`pagealloc`), or from memory the heap did not have yet. Large objects start at `mheap`;
goroutine stacks have pools of their own (`stack`) and the same pages. A collection (`gccycle`) moves nothing: it decides
which slots are dead, and sweeping, driven by allocation itself (`pacer`), turns them back into free slots and pages. What
stays free goes back to the OS (`scavenge`, `scavenger`).

All state is one record, `heap` (`heap.py`); `loop.py` feeds it events.
"""
