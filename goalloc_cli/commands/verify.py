"""goalloc verify"""

from __future__ import annotations

import re
from typing import Any

import click

from goalloc_cli.commands.options import output_options, partial_option, refuse_early
from goalloc_cli.commands.show import say, show
from goalloc_cli.commands.words import FILE, complete_rows, meant
from goalloc_cli.errors import CROSSED

RULE = re.compile(r"\s*([a-z_-]+)\s*(<=|<)\s*([0-9]+(?:\.[0-9]+)?)\s*%?\s*\Z")


@click.command(short_help="Score how exactly the model reproduces a recording.")
@click.argument("recording", metavar="RECORDING", type=FILE)
@click.option("--memstats", metavar="FILE.json", type=FILE, help="MemStats taken during the recording, by checkpoint.")
@click.option("--no-hints", "own_sweeper", is_flag=True, help="Leave out what the recording tells about sweeping.")
@click.option(
    "--fail-on",
    "rules",
    metavar="ROW<PERCENT",
    multiple=True,
    shell_complete=complete_rows,
    help="End with exit code 5 where a row is below, as in free-running<99.99. May be given again.",
)
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
    limits = [limit(rule) for rule in rules]
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
    document = verdict_document(verdict)
    show(ctx, document, (), **options)
    crossed = [text for text, row, bound, below in limits if is_crossed(document["rows"][row]["percent"], bound, below)]
    for text in crossed:
        say(f"goalloc verify: {text} holds")
    return CROSSED if crossed else 0


def limit(rule: str) -> tuple[str, str, float, bool]:
    """A --fail-on rule: its text, the row, the per cent, and whether the bound itself is fine."""
    from goalloc_cli.report.tables.verdict import MEANING

    match = RULE.match(rule)
    row = match[1].replace("-", "_") if match else ""
    if match is None or row not in MEANING:
        near = meant(row, MEANING) if match else ""
        raise click.UsageError(f"--fail-on {rule!r}: expected ROW<PERCENT with ROW one of {', '.join(MEANING)}{near}")
    return rule, row, float(match[3]), match[2] == "<"


def is_crossed(percent: float | None, bound: float, below: bool) -> bool:
    """Whether a row is on the wrong side; one without a case is not."""
    return percent is not None and (percent < bound if below else percent <= bound)
