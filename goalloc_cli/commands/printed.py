"""Documents of what Go prints of itself: MemStats, gctrace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from goalloc_cli.host.source import Source
    from goalloc_cli.importers.sniff import Printed

Document = dict[str, Any]


def memstats(
    opened: Sequence[Printed], smaps: str | None = None, cgroup: str | None = None, given: Mapping[str, Any] | None = None
) -> Document:
    """The document of MemStats of one moment or several, and of what the system says beside them."""
    from goalloc_cli.analyses.memstats.describe import describe
    from goalloc_cli.importers.memstats.process import read_cgroup, read_process
    from goalloc_cli.importers.memstats.read import read_memstats
    from goalloc_cli.report.documents.printed.memstats import memstats_document

    beside = given or {}
    try:
        dumps = [read_memstats(one.source) for one in opened]
    finally:
        close(opened)
    found = describe(
        dumps,
        rss_bytes=None if beside.get("--rss") is None else int(beside["--rss"]),
        process=None if smaps is None else read_process(smaps),
        cgroup={} if cgroup is None else read_cgroup(cgroup),
        version=beside.get("--go"),
        seconds=beside.get("--apart"),
    )
    return memstats_document(found)


def side_by_side(sources: list[Source]) -> Document:
    """The document of several texts with lines of gctrace."""
    from goalloc_cli.report.documents.printed.logs import logs_document

    return logs_document([gctrace(source, None, True) for source in sources])


def gctrace(source: Source, beside: str | None = None, quiet: bool = True) -> Document:
    """The document of a text with lines of gctrace; the trace `beside` is replayed for it."""
    from goalloc_cli.analyses.pressure import pressure
    from goalloc_cli.importers.gctrace.read import read_gctrace
    from goalloc_cli.report.documents.printed.gctrace import gctrace_document

    try:
        text = read_gctrace(source)
    finally:
        source.close()
    if beside is None:
        return gctrace_document(text, pressure(text))
    from goalloc_cli.analyses.beside import lay_beside
    from goalloc_cli.commands.choose import choose_design
    from goalloc_cli.host.progress import progress_line
    from goalloc_cli.importers.sniff import open_trace

    trace = open_trace(beside)
    design, name, _ = choose_design(trace.header, None, ())
    with progress_line("replay", trace.events, quiet) as progress:
        return gctrace_document(text, pressure(text), lay_beside(text, trace, design, name, progress))


def close(opened: Sequence[Any]) -> None:
    for one in opened:
        if hasattr(one, "source"):
            one.source.close()
