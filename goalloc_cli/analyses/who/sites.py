"""Which lines allocate, hold and waste: the rows of a moment summed up by call site, flat and cumulative."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.sites import OF_RUNTIME, CallTree
from goalloc_cli.results.who import ROW, SiteRow, Sites, Who, summed

Site = tuple[str, str, int]
"""Function, file and line; what a group leaves open is "" or 0."""

BY: dict[str, Callable[[str, str, int], Site]] = {
    "line": lambda function, file, line: (function, file, line),
    "func": lambda function, file, line: (function, file, 0),
    "package": lambda function, file, line: (package(function), "", 0),
}
"""What `--group-by` takes: what call sites are counted under."""


def package(function: str) -> str:
    """The import path of a function's package: what stands before the first dot behind the last slash."""
    folder, slash, name = function.rpartition("/")
    return folder + slash + name.partition(".")[0]


def sites(who: Who, group_by: str = "line", focus: str | None = None) -> Sites:
    """Everything that was allocated and is held, by call site, most bytes allocated first.

    Args:
        who: the moment.
        group_by: one of `BY`.
        focus: a regular expression: only stacks with a function that it is found in.

    """
    wanted = re.compile(focus) if focus else None
    tree = CallTree(who.functions, who.calls)
    tree.folders = {PurePath(each.file).parent for each in who.functions if each.name.startswith(OF_RUNTIME)}
    flat: dict[Site, list[int]] = {}
    cumulative: dict[Site, list[int]] = {}
    stacks, of_stack = np.unique(who.rows["stack"], return_inverse=True)
    by_stack = summed(who.rows, of_stack.reshape(-1), {"stack": stacks})
    for at, stack in enumerate(stacks.tolist()):
        frames = list(outwards(who, stack))
        if not frames or (wanted and not any(wanted.search(who.functions[who.calls[c].function].name) for c in frames)):
            continue
        named = {call: BY[group_by](*place(who, call)) for call in frames}
        flat.setdefault(named[tree.site_of(stack)], []).append(at)
        for site in dict.fromkeys(named.values()):
            cumulative.setdefault(site, []).append(at)
    unknown = int(who.rows["alloc_bytes"][who.rows["stack"] == 0].sum())
    return Sites(group_by, focus, _rows(by_stack, flat, cumulative), unknown)


def outwards(who: Who, stack: int) -> Iterator[int]:
    """The calls of a stack, the innermost first."""
    while 0 < stack < len(who.calls):
        yield stack
        stack = who.calls[stack].caller


def place(who: Who, call: int) -> Site:
    """Function, file and line of a call."""
    function = who.functions[who.calls[call].function]
    return function.name, function.file, who.calls[call].line


def _rows(by_stack: NDArray[np.void], flat: dict[Site, list[int]], cumulative: dict[Site, list[int]]) -> list[SiteRow]:
    """A row for each site: what it did itself, and with all that it called."""
    none = np.zeros(1, ROW)[0]
    found = [
        SiteRow(*site, _sum(by_stack, flat[site]) if site in flat else none, _sum(by_stack, stacks))
        for site, stacks in cumulative.items()
    ]
    return sorted(found, key=lambda row: (-row.flat["alloc_bytes"], -row.cumulative["alloc_bytes"], row.function, row.line))


def _sum(rows: NDArray[np.void], chosen: list[int]) -> np.void:
    """Some rows added up."""
    total: np.void = summed(rows[chosen], np.zeros(len(chosen), np.int64), {})[0]
    return total
