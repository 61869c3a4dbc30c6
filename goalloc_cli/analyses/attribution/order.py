"""In which orders changes can be made, one after the other, so that there is an allocator at every step.

Some changes need others: pages cannot be cached before there is a bitmap of them. What has been made at some step is then a
set that holds, with each change, all that it needs: a closed set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

Change = int
"""The number of a change."""
Made = frozenset[int]
"""Changes that have been made."""


class Needs:
    """Which changes need which."""

    def __init__(self, count: int, possible: Callable[[Made], bool]) -> None:
        """There are `count` changes; `possible` tells whether a set of them makes an allocator. None and all do."""
        self.count = count
        self.of = [self.closure(change, possible) for change in range(count)]
        """What must have been made with each change, itself too."""

    def closure(self, change: Change, possible: Callable[[Made], bool]) -> Made:
        """The least set with this change in it that makes an allocator: all, less what can be left out one by one."""
        found = frozenset(range(self.count))
        shrunk = True
        while shrunk:
            shrunk = False
            for other in sorted(found - {change}):
                if possible(found - {other}):
                    found, shrunk = found - {other}, True
        return found

    @cached_property
    def bundles(self) -> list[tuple[Change, ...]]:
        """Changes that need each other, together; each of the others alone."""
        found: dict[Made, list[Change]] = {}
        for change in range(self.count):
            mutual = frozenset(other for other in self.of[change] if change in self.of[other])
            found.setdefault(mutual, []).append(change)
        return [tuple(changes) for changes in found.values()]

    def by_bundle(self) -> list[Made]:
        """What each bundle needs, itself left out, as numbers of bundles."""
        number = {change: n for n, bundle in enumerate(self.bundles) for change in bundle}
        return [
            frozenset(number[other] for change in bundle for other in self.of[change]) - {n}
            for n, bundle in enumerate(self.bundles)
        ]


def closed(changes: Iterable[Change], needs: list[Made]) -> Made:
    """The changes, and all that they need."""
    found: set[Change] = set()
    waiting = list(changes)
    while waiting:
        change = waiting.pop()
        if change not in found:
            found.add(change)
            waiting += needs[change]
    return frozenset(found)


def closed_sets(group: Made, needs: list[Made]) -> Iterator[Made]:
    """All closed sets of a group's changes, the small ones first. What the group needs lies in it."""
    layer = {frozenset[int]()}
    while layer:
        yield from sorted(layer, key=sorted)
        layer = {made | {change} for made in layer for change in group - made if needs[change] <= made}
