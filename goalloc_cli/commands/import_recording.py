"""goalloc import"""

from __future__ import annotations

import click

from goalloc_cli.commands.options import OUTPUT, QUIET, gc_option, partial_option, refuse_early, with_cycles
from goalloc_cli.commands.show import say
from goalloc_cli.commands.words import FILE
from goalloc_cli.report.units import plural

PARTIAL = "Imported with --partial: what was missing of a recording cut short is missing here."
"""What the trace has to say, since whether it was cut short shows only at its end."""


@click.command("import", short_help="Make a trace from a recording of a Go program.")
@click.argument("recording", metavar="RECORDING", type=FILE)
@click.option("-o", "--output", required=True, help='The trace to write; "-" is the standard output.', **OUTPUT)
@click.option("--no-witnesses", is_flag=True, help="Leave out the addresses the real runtime chose (verify needs them).")
@gc_option
@partial_option
@click.option("--force", is_flag=True, help="Replace an existing FILE.")
@click.option("-q", "--quiet", **QUIET)
def import_recording(
    recording: str, output: str, no_witnesses: bool, gc: int | None, partial: bool, force: bool, quiet: bool
) -> None:
    """Turn a RECORDING of a Go program ("-" is the standard input) into a trace."""
    from goalloc_cli.host.ahead import ahead
    from goalloc_cli.host.progress import progress_line, ticking
    from goalloc_cli.host.sink import write_file
    from goalloc_cli.importers.sniff import open_trace
    from goalloc_cli.native.native import write_native

    refuse_early({"output": output, "force": force, "form": "msgpack"})
    trace = with_cycles(open_trace(recording, partial=partial), gc)
    header = trace.header.with_notes(PARTIAL) if partial else trace.header
    with progress_line("import", trace.events, quiet) as tick:
        batches = ticking(ahead(trace.batches), tick)
        events = write_file(
            output, force, lambda file: write_native(header, batches, file, witnesses=not no_witnesses, lost=trace.lost)
        )
    if not quiet:
        for note in [*trace.header.notes, *trace.remarks]:
            say(f"note: {note}")
        say(f"{output}: {plural(events, 'event')}")
