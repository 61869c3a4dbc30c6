"""What a knob that is not a number chooses between: structures and rules that differ between Go's releases."""

from __future__ import annotations

from enum import IntEnum


class Central(IntEnum):
    """How an mcentral keeps the spans of its class."""

    SPAN_LISTS = 0
    """two linked lists, nonempty and empty; what is to be swept waits on one stack for the whole heap"""
    SPAN_SETS = 1
    """four queues: partial and full, swept and unswept"""


class Pages(IntEnum):
    """How the page heap finds free pages."""

    LISTS_AND_TREAP = 0
    """a list for each length below 128 pages, and best fit in a tree of longer runs"""
    TWO_TREAPS = 1
    """best fit in two trees: runs that memory backs, and released ones"""
    ADDRESS_TREAP = 2
    """first fit by address in one tree of runs"""
    BITMAP = 3
    """first fit by address in a bitmap, under summaries"""


class Reclaim(IntEnum):
    """What an allocation of pages sweeps first, while sweeping is unfinished."""

    BUSY_LISTS = 0
    """large spans by length, then everything, until as many pages are freed"""
    WINDOWS = 1
    """windows of the heap, one after the other, for spans without page mark"""


class GrowthScavenge(IntEnum):
    """What is released when the heap grows."""

    NOTHING = 0
    """nothing"""
    LARGEST = 1
    """as many pages as are added, from the longest runs of free pages"""
    GOAL = 2
    """what exceeds the goal of the last cycle, from the highest addresses"""


class Scavenger(IntEnum):
    """Who gives memory back to the OS while the program runs."""

    NONE = 0
    """nobody"""
    IDLE_RUNS = 1
    """every two and a half minutes, the runs of free pages that nobody used for five"""
    PACED = 2
    """a goroutine that sleeps most of the time, down to a goal"""


class ScavengeIndex(IntEnum):
    """Where the scavenger looks for free pages in a bitmap: always the highest ones first."""

    CURSOR = 0
    """below a cursor, which goes back to the top whenever the goal is set"""
    GENERATIONS = 1
    """below a cursor, which goes back up when sweeping is done, as far as anything can have changed"""
    MARKED = 2
    """in chunks that pages were freed in"""
    DENSITY = 3
    """in chunks that pages were freed in, and that were not nearly full in this cycle and the last"""


class Pacer(IntEnum):
    """How the heap goal and the trigger are set."""

    RATIO = 0
    """the trigger is a ratio to the marked heap, adapted by feedback; stacks and globals do not count"""
    RUNWAY = 1
    """the trigger lies a runway before the goal, within loose bounds; globals count"""
    BOUNDS = 2
    """the same, within 45/64 and 61/64 of the way from the marked heap to the goal"""
