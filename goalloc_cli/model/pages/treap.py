"""Trees of runs of free pages, balanced by priorities that look random. (Go: mgclarge.go, until 1.13)

A tree is named by its number in `heap.run_trees`. Where pages are taken by address, runs are ordered by address; else by
length, equal ones by address. `longest` of a run is the most pages of any run at or below it.
"""

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import inner
from goalloc_cli.design.choices import Pages
from goalloc_cli.model.tables.heap import NO_RUN


@inner
def comes_before(heap, a, b):
    """True where run a comes before run b in a tree."""
    one = heap.runs[a]
    other = heap.runs[b]
    if heap.knobs.pages != Pages.ADDRESS_TREAP and one.npages != other.npages:
        return one.npages < other.npages
    return one.page < other.page


@inner
def priority(r):
    """A number that scatters over the rows: a run lies above those with higher ones."""
    return (np.int64(r) * 0x9E3779B1) & 0xFFFFFFFF


@inner
def insert_run(heap, tree, r):
    """Put run r in a tree."""
    run = heap.runs[r]
    above = NO_RUN
    below = heap.run_trees[tree]
    while below != NO_RUN:
        above = below
        below = heap.runs[above].left if comes_before(heap, r, above) else heap.runs[above].right
    run.left = NO_RUN
    run.right = NO_RUN
    run.parent = above
    if above == NO_RUN:
        heap.run_trees[tree] = r
    elif comes_before(heap, r, above):
        heap.runs[above].left = r
    else:
        heap.runs[above].right = r
    measure_up(heap, r)
    while run.parent != NO_RUN and priority(r) < priority(run.parent):
        lift(heap, tree, r)


@inner
def remove_run(heap, tree, r):
    """Take run r out of a tree."""
    run = heap.runs[r]
    while run.left != NO_RUN and run.right != NO_RUN:
        lift(heap, tree, run.left if priority(run.left) < priority(run.right) else run.right)
    below = run.left if run.left != NO_RUN else run.right
    hang(heap, tree, run.parent, r, below)
    measure_up(heap, run.parent)


@inner
def hang(heap, tree, above, old, new):
    """Put run `new`, or none, in the place of run `old` under run `above`, or at the root."""
    if above == NO_RUN:
        heap.run_trees[tree] = new
    elif heap.runs[above].left == old:
        heap.runs[above].left = new
    else:
        heap.runs[above].right = new
    if new != NO_RUN:
        heap.runs[new].parent = above


@inner
def lift(heap, tree, r):
    """Turn run r and the one above it around."""
    run = heap.runs[r]
    p = run.parent
    parent = heap.runs[p]
    above = parent.parent
    if parent.left == r:
        between = run.right
        parent.left = between
        run.right = p
    else:
        between = run.left
        parent.right = between
        run.left = p
    if between != NO_RUN:
        heap.runs[between].parent = p
    hang(heap, tree, above, p, r)
    parent.parent = r
    measure(heap, p)
    measure(heap, r)


@inner
def measure(heap, r):
    """Compute anew the longest run at or below r."""
    run = heap.runs[r]
    longest = run.npages
    if run.left != NO_RUN:
        longest = max(longest, heap.runs[run.left].longest)
    if run.right != NO_RUN:
        longest = max(longest, heap.runs[run.right].longest)
    run.longest = longest


@inner
def measure_up(heap, r):
    """Compute anew the longest runs from r up to the root."""
    while r != NO_RUN:
        measure(heap, r)
        r = heap.runs[r].parent


@inner
def best_fit(heap, tree, npages):
    """The shortest run of at least npages pages, the lowest of those; NO_RUN where there is none. By length only."""
    best = NO_RUN
    r = heap.run_trees[tree]
    while r != NO_RUN:
        run = heap.runs[r]
        if run.npages >= npages:
            best = r
            r = run.left
        else:
            r = run.right
    return best


@inner
def first_fit(heap, tree, npages):
    """The lowest run of at least npages pages, or NO_RUN. By address only."""
    r = heap.run_trees[tree]
    if r == NO_RUN or heap.runs[r].longest < npages:
        return NO_RUN
    while True:
        run = heap.runs[r]
        if run.left != NO_RUN and heap.runs[run.left].longest >= npages:
            r = run.left
        elif run.npages >= npages:
            return r
        else:
            r = run.right


@inner
def last_run(heap, tree):
    """The last run of a tree, or NO_RUN."""
    last = NO_RUN
    r = heap.run_trees[tree]
    while r != NO_RUN:
        last = r
        r = heap.runs[r].right
    return last


@inner
def previous_run(heap, r):
    """The run before r in its tree, or NO_RUN."""
    run = heap.runs[r]
    if run.left != NO_RUN:
        r = run.left
        while heap.runs[r].right != NO_RUN:
            r = heap.runs[r].right
        return r
    while heap.runs[r].parent != NO_RUN and heap.runs[heap.runs[r].parent].left == r:
        r = heap.runs[r].parent
    return heap.runs[r].parent
