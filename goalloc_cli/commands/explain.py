"""goalloc explain"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from goalloc_cli.commands.choose import choose_design, design_options, named_design
from goalloc_cli.commands.options import bytes_of, output_options, refuse_early
from goalloc_cli.commands.show import show
from goalloc_cli.commands.words import FILE

LARGEST = 63 << 30
"""What the model's address space holds, less some room."""


@click.command(short_help="Explain one size, or one event of a trace.")
@click.argument("what", nargs=-1, required=True, metavar="SIZE... | TRACE", type=FILE)
@click.option("--pointers", is_flag=True, help="SIZE is of an object with pointers.")
@click.option("--event", "number", type=click.IntRange(0), metavar="N", help="Explain event N of TRACE; the first is 0.")
@design_options
@output_options
@click.pass_context
def explain(
    ctx: click.Context,
    /,
    what: tuple[str, ...],
    pointers: bool,
    number: int | None,
    go_version: str | None,
    knobs: tuple[str, ...],
    size_classes: str | None,
    **options: Any,
) -> None:
    """Explain what Go does with an allocation of SIZE bytes, or what event N of TRACE did.

    \b
    goalloc explain 33
    goalloc explain 1KiB --pointers --go 1.21
    goalloc explain app.msgpack --event 5000
    """
    refuse_early(options)
    if number is not None:
        if pointers or len(what) > 1:
            raise click.UsageError("--event goes with one TRACE, and without --pointers")
        return show(ctx, event(what[0], number, go_version, knobs, size_classes, options["quiet"]), (), **options)
    sizes = [size(word) for word in what]
    from goalloc_cli.analyses.explain.size import explain_size
    from goalloc_cli.report.documents.explained import sizes_document

    design, name = named_design(go_version, knobs, size_classes)
    return show(ctx, sizes_document([explain_size(design, n, pointers) for n in sizes], name), (), **options)


def size(word: str) -> int:
    """A number of bytes that the model can allocate."""
    found = bytes_of(word)
    if found is None or ("." in word and word[-1].isdecimal()):
        if Path(word).exists():
            raise click.UsageError(f"{word} is a file: add --event N to explain an event of it")
        raise click.UsageError(f"{word!r} is no size in bytes such as 33, 1024 or 32KiB")
    if found > LARGEST:
        raise click.UsageError(f"{word} is more than the model holds: at most {LARGEST >> 30}GiB")
    return found


def event(
    path: str, number: int, go_version: str | None, knobs: tuple[str, ...], size_classes: str | None, quiet: bool
) -> dict[str, Any]:
    """The document of one event."""
    from goalloc_cli.analyses.explain.event import explain_event
    from goalloc_cli.errors import EventError
    from goalloc_cli.host.progress import progress_line
    from goalloc_cli.importers.sniff import open_trace
    from goalloc_cli.report.documents.explained import event_document

    found = open_trace(path)
    design, name, hints = choose_design(found.header, go_version, knobs, size_classes)
    try:
        with progress_line("replay", number, quiet) as progress:
            told = explain_event(found, design, number, hints=hints, progress=progress)
    except EventError as error:
        raise click.UsageError(str(error)) from None
    return event_document(told, found, name)
