"""goalloc stats"""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, Any

import click

from goalloc_cli.commands.options import gc_option, output_options, partial_option, refuse_early, with_cycles
from goalloc_cli.commands.show import show
from goalloc_cli.report.documents.names import GCTRACE_REPORTS, REPORTS_OF, STATS_REPORTS

if TYPE_CHECKING:
    from goalloc_cli.host.source import Source


@click.command(short_help="Describe a trace, or show a saved replay again.")
@click.argument("trace", metavar="[TRACE]", required=False)
@click.option(
    "--report",
    "reports",
    multiple=True,
    metavar="NAME",
    help=f"What to show: {', '.join(STATS_REPORTS)} or all; of a saved replay, its own reports.",
)
@click.option("--beside", metavar="TRACE", help="Of a gctrace text: lay a replay of TRACE, of the same run, beside it.")
@gc_option
@partial_option
@output_options
@click.pass_context
def stats(
    ctx: click.Context,
    /,
    trace: str | None,
    reports: tuple[str, ...],
    beside: str | None,
    gc: int | None,
    partial: bool,
    **options: Any,
) -> None:
    """Describe TRACE ("-" or a pipe is the standard input) without replaying it.

    A replay saved with --format msgpack is shown as it would have been then. Of a text with the
    lines of GODEBUG=gctrace=1 or scavtrace=1 in it, those are described.
    """
    if trace is None and not is_piped():
        raise click.UsageError("name a trace or a saved replay, or pipe one in")
    refuse_early(options)
    from goalloc_cli.host.source import Source, open_source
    from goalloc_cli.importers.sniff import trace_or_gctrace
    from goalloc_cli.report.documents.saved import read_saved, shown
    from goalloc_cli.trace.trace import Trace

    path = trace or "-"
    source = open_source(path, partial)  # once: a pipe cannot be opened again
    found = read_saved(source)
    opened = trace_or_gctrace(source, partial) if found is None else None
    if beside is not None and not isinstance(opened, Source):
        raise click.UsageError(f"--beside goes with a text that GODEBUG=gctrace=1 printed, which {path} is not")
    if gc is not None and not isinstance(opened, Trace):
        raise click.UsageError(f"--gc goes with a trace, which {path} is not")
    if found is not None:
        refuse_unknown(reports, REPORTS_OF[found["schema"]])
        saved = found
        return shown(path, lambda: show(ctx, saved, reports, **options))
    if isinstance(opened, Source):
        refuse_unknown(reports, GCTRACE_REPORTS)
        return show(ctx, gctrace(opened, beside, options["quiet"]), reports, **options)
    refuse_unknown(reports, STATS_REPORTS)
    from goalloc_cli.analyses.describe import describe
    from goalloc_cli.host.progress import progress_line
    from goalloc_cli.report.documents.trace import trace_document

    assert opened is not None
    opened = with_cycles(opened, gc)
    with progress_line("stats", opened.events, options["quiet"]) as progress:
        found = trace_document(describe(opened, progress), opened.remarks)
    return show(ctx, found, reports, **options)


def refuse_unknown(reports: tuple[str, ...], known: tuple[str, ...]) -> None:
    unknown = [name for name in reports if name not in (*known, "all")]
    if unknown:
        raise click.UsageError(f"there is no report {unknown[0]!r} of this; there are {', '.join(known)} and all")


def gctrace(source: Source, beside: str | None, quiet: bool) -> dict[str, Any]:
    """The document of a text with lines of gctrace; the trace `beside` is replayed for it."""
    from goalloc_cli.importers.gctrace import read_gctrace
    from goalloc_cli.report.documents.gctrace import gctrace_document

    try:
        text = read_gctrace(source)
    finally:
        source.close()
    if beside is None:
        return gctrace_document(text)
    from goalloc_cli.analyses.beside import lay_beside
    from goalloc_cli.commands.choose import choose_design
    from goalloc_cli.host.progress import progress_line
    from goalloc_cli.importers.sniff import open_trace

    trace = open_trace(beside)
    design, name, _ = choose_design(trace.header, None, ())
    with progress_line("replay", trace.events, quiet) as progress:
        return gctrace_document(text, lay_beside(text, trace, design, name, progress))


def is_piped() -> bool:
    """Whether something was piped or redirected into the standard input."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)
