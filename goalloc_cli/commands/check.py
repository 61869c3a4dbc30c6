"""goalloc check"""

from __future__ import annotations

from typing import Any

import click

from goalloc_cli.commands.options import output_options, partial_option, refuse_early
from goalloc_cli.commands.show import show
from goalloc_cli.commands.words import FILE
from goalloc_cli.errors import FINE, MALFORMED


@click.command(short_help="Look for bad events in a trace: double frees and the like.")
@click.argument("trace", type=FILE, metavar="TRACE")
@partial_option
@output_options
@click.pass_context
def check(ctx: click.Context, /, trace: str, partial: bool, **options: Any) -> int:
    """Look for events in TRACE ("-" is the standard input) that contradict the ones before them, and for whatever else
    replay or verify would refuse.

    Each of the first 20 is shown in full, with what is wrong and what to do; the others are counted.
    The exit code is 3 where there are any, 0 where there are none.
    """
    refuse_early(options)
    from goalloc_cli.analyses.examine import examine
    from goalloc_cli.host.progress import progress_line
    from goalloc_cli.importers.sniff import open_trace
    from goalloc_cli.report.documents.check import check_document

    found = open_trace(trace, partial=partial, lenient=True)
    with progress_line("check", found.events, options["quiet"]) as progress:
        bad = examine(found, progress)
    show(ctx, check_document(found, bad), (), **options)
    return FINE if bad.is_good else MALFORMED
