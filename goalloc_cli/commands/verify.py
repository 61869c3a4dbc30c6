"""goalloc verify"""

from __future__ import annotations

from typing import Any

import click

from goalloc_cli.commands.gate import Gate, fail_on_option
from goalloc_cli.commands.options import output_options, partial_option, refuse_early
from goalloc_cli.commands.show import show
from goalloc_cli.commands.words import FILE, complete_rows


@click.command(short_help="Score how exactly the model reproduces a recording.")
@click.argument("recording", metavar="RECORDING", type=FILE)
@click.option("--memstats", metavar="FILE.json", type=FILE, help="MemStats taken during the recording, by checkpoint.")
@click.option("--no-hints", "own_sweeper", is_flag=True, help="Leave out what the recording tells about sweeping.")
@fail_on_option("End with exit code 5 where a row is below, as in free-running<99.99. Repeatable.", complete_rows)
@partial_option
@output_options
@click.pass_context
def verify(
    ctx: click.Context,
    /,
    recording: str,
    memstats: str | None,
    own_sweeper: bool,
    rules: tuple[str, ...],
    partial: bool,
    **options: Any,
) -> int:
    """Score how exactly the model reproduces what the real runtime did in RECORDING.

    RECORDING is a Go execution trace, or its import: it holds the address of every object and span, and the replay has to
    arrive at the same ones by its own rules.
    """
    gate = Gate("goalloc verify", rules, None, options["quiet"])
    gate.check("goalloc verify")
    refuse_early(options)
    from goalloc_cli.analyses.verify.verify import read_memstats
    from goalloc_cli.analyses.verify.verify import verify as run_verify
    from goalloc_cli.commands.choose import choose_design
    from goalloc_cli.host.progress import progress_line
    from goalloc_cli.importers.sniff import open_trace
    from goalloc_cli.report.documents.verdict import verdict_document

    told = read_memstats(memstats) if memstats else None
    found = open_trace(recording, partial=partial)
    design, name, _hints = choose_design(found.header, None, ())
    with progress_line("verify", found.events, options["quiet"]) as progress:
        verdict = run_verify(
            found, design, design_name=name, memstats=told, own_sweeper=own_sweeper, progress=progress
        )
    show(ctx, gate.judge(verdict_document(verdict)), (), **options)
    return gate.end()
