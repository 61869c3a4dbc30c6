"""goalloc export"""

from __future__ import annotations

from pathlib import Path

import click

from goalloc_cli.commands.options import OUTPUT, QUIET, gc_option, partial_option, refuse_early, with_cycles
from goalloc_cli.commands.show import say
from goalloc_cli.commands.words import FILE
from goalloc_cli.report.units import plural

FORMS = {"jsonl": "JSON Lines", "csv": "CSV", "rows": "msgpack"}
NAMED = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "TSV", ".msgpack": "rows"}
"""The form that the end of a file's name promises."""


@click.command(short_help="Write a trace as rows: JSON Lines, CSV or msgpack.")
@click.argument("trace", metavar="TRACE", type=FILE)
@click.option("--to", "form", type=click.Choice(list(FORMS)), required=True, help="JSON Lines, CSV, or msgpack rows.")
@click.option("-o", "--output", help="Write to FILE, whole or not at all.", **OUTPUT)
@gc_option
@partial_option
@click.option("--force", is_flag=True, help="Replace an existing FILE.")
@click.option("-q", "--quiet", **QUIET)
def export(trace: str, form: str, output: str | None, gc: int | None, partial: bool, force: bool, quiet: bool) -> None:
    """Write TRACE ("-" is the standard input) as rows that any script can read.

    The rows hold all that the trace holds: imported again they give the same events.
    """
    from goalloc_cli.exporters.rows import write_rows
    from goalloc_cli.host.progress import progress_line, ticking
    from goalloc_cli.host.sink import write_file
    from goalloc_cli.importers.sniff import open_trace

    refuse_other_name(output, form)
    refuse_other_name(output, form)
    refuse_early({"output": output, "force": force, "form": "msgpack" if form == "rows" else form})
    found = with_cycles(open_trace(trace, partial=partial), gc)
    with progress_line("export", found.events, quiet) as tick:
        batches = ticking(found.batches, tick)
        events = write_file(output or "-", force, lambda file: write_rows(found.header, batches, file, form))
    for remark in found.remarks if not quiet else ():
        say(f"note: {remark}")
    if output and not quiet:
        say(f"{output}: {plural(events, 'event')}")


def refuse_other_name(output: str | None, form: str) -> None:
    """Refuse a name that promises another form: x.jsonl with msgpack in it misleads whoever opens it."""
    ending = "".join(Path(output or "-").suffixes[-1:]).lower()
    promised = NAMED.get(ending, form)
    if promised == form:
        return
    told = f"write it so with --to {promised}" if promised in FORMS else "there is no such form"
    writes = f"--to {form} writes {FORMS[form]}"
    raise click.UsageError(f"{output}: ends in {ending}, and {writes}; {told}, or choose another name")
