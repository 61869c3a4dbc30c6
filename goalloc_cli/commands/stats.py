"""goalloc stats"""

from __future__ import annotations

import os
import stat
import sys
from typing import Any

import click

from goalloc_cli.commands.options import output_options, refuse_early
from goalloc_cli.commands.show import show
from goalloc_cli.report.names import REPLAY_REPORTS, STATS_REPORTS


@click.command(short_help="Describe a trace, or show a saved replay again.")
@click.argument("trace", metavar="[TRACE]", required=False)
@click.option(
    "--report",
    "reports",
    multiple=True,
    metavar="NAME",
    help=f"What to show: {', '.join(STATS_REPORTS)} or all; of a saved replay, its own reports.",
)
@output_options
@click.pass_context
def stats(ctx: click.Context, /, trace: str | None, reports: tuple[str, ...], **options: Any) -> None:
    """Describe TRACE ("-" or a pipe is the standard input) without replaying it.

    A replay saved with --format msgpack is shown as it would have been then.
    """
    if trace is None and not is_piped():
        raise click.UsageError("name a trace or a saved replay, or pipe one in")
    refuse_early(options)
    from goalloc_cli.progress import progress_line
    from goalloc_cli.report.saved import read_saved
    from goalloc_cli.report.trace_document import trace_document
    from goalloc_cli.trace.event import TraceError
    from goalloc_cli.trace.sniff import open_trace
    from goalloc_cli.trace.stats import describe

    path = trace or "-"
    found = read_saved(path)
    known = REPLAY_REPORTS if found and found["schema"] == "goalloc replay" else STATS_REPORTS
    unknown = [name for name in reports if name not in (*known, "all")]
    if unknown:
        raise click.UsageError(f"there is no report {unknown[0]!r} of this; there are {', '.join(known)} and all")
    if found is None:
        opened = open_trace(path)
        with progress_line("stats", opened.events, options["quiet"]) as progress:
            found = trace_document(describe(opened, progress))
        return show(ctx, found, reports, **options)
    try:
        return show(ctx, found, reports, **options)
    except (LookupError, TypeError, ValueError) as error:
        raise TraceError(f"{path}: this saved report is damaged ({error!r})") from error


def is_piped() -> bool:
    """Whether something was piped or redirected into the standard input."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)
