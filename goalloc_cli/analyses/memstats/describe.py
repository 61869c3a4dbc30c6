"""All that is made of MemStats, and of what the system says beside them."""

from __future__ import annotations

from goalloc_cli.analyses.memstats.changes import changes, restarted
from goalloc_cli.analyses.memstats.identities import identities
from goalloc_cli.analyses.memstats.ledger import backed, ledger
from goalloc_cli.analyses.memstats.reading import reading
from goalloc_cli.analyses.memstats.release import lazily
from goalloc_cli.analyses.memstats.resident import arenas_agree, to_rss
from goalloc_cli.analyses.memstats.sizes import size_rows
from goalloc_cli.results.memstats import Dump, Memory, Moment, Process, exactly

RSS = "process RSS"
SHORTEST_S = 1.0
"""Times of files that are nearer to each other than this say nothing."""


def describe(
    dumps: list[Dump], *, rss_bytes: int | None, process: Process | None, cgroup: dict[str, int], version: str | None,
    seconds: float | None,
) -> Memory:  # fmt: skip
    """What the last moment of the last dump holds, and what changed since the first moment of the first.

    Args:
        dumps: the inputs, in order of time.
        rss_bytes: resident memory, as the user says; else `process` or a scrape tells it.
        process: what the system says of the process.
        cgroup: the counters of memory.stat; empty where there are none.
        version: of Go, as the user says.
        seconds: between the first and the last dump, as the user says.
    """
    dump, first, last = dumps[-1], dumps[0].first, dumps[-1].last
    version = version or last.version
    if rss_bytes is None:
        rss_bytes = process.rss_bytes if process is not None else last.get(RSS)
    if rss_bytes is not None:
        last.values[RSS] = exactly(rss_bytes)
    lazy = lazily(last, version)
    rows, resident, held = ledger(last), to_rss(last, rss_bytes, process, lazy), backed(last)
    between = seconds if seconds is not None else seconds_between(first, last)
    changed = [] if first is last else changes(first, last, between)
    return Memory(
        dump=dump, ledger=rows, resident=resident, rss_bytes=rss_bytes, process=process, sizes=size_rows(last),
        identities=[*identities(last)],
        reading=reading(last, rows, resident, held.value if held else None, process, lazy),
        changes=changed, seconds=between if changed else None, cgroup=cgroup, version=version,
        notes=[*notes_of(dumps, seconds), *notes_beside(last, process)] + [
            f"{name} fell: the program was started again in between." for name in restarted(changed)[:1]
        ],
    )  # fmt: skip


def seconds_between(first: Moment, last: Moment) -> float | None:
    if first.time_s is None or last.time_s is None:
        return None
    between = last.time_s - first.time_s
    return between if between >= SHORTEST_S else None


def notes_of(dumps: list[Dump], seconds: float | None) -> list[str]:
    """What the reader must know of the inputs."""
    found = [note for dump in dumps for note in dump.notes]
    for dump in dumps:
        if dump.moments > 1:
            found.append(f"{dump.name} holds MemStats {dump.moments:,} times: the last, and what changed since the first.")
    first, last = dumps[0].first, dumps[-1].last
    if first is not last and seconds is None and seconds_between(first, last) is not None and last.time_from:
        found.append(f"The time between comes from {last.time_from}; --apart SECONDS says otherwise.")
    return found


def notes_beside(moment: Moment, process: Process | None) -> list[str]:
    """Whether what the system says fits."""
    if process is None or not process.kinds:
        return []
    agree = arenas_agree(process, moment)
    if process.named:
        return ["Go has named its mappings: the kinds are what it says."]
    if agree:
        return ["Go's heap is told by its place; its mapped size is HeapSys + StackInuse, so nothing else is in it."]
    if agree is False:
        return [
            "Go's heap is told by its place, and is not HeapSys + StackInuse large: another moment, or another process?"
        ]
    return []
