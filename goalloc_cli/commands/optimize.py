"""goalloc optimize"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from goalloc_cli.commands.choose import choose_design, design_options
from goalloc_cli.commands.options import (
    OUTPUT,
    QUIET,
    color_option,
    gc_option,
    partial_option,
    refuse_early,
    with_cycles,
)
from goalloc_cli.commands.several import is_native
from goalloc_cli.commands.show import say, show
from goalloc_cli.commands.words import FILE
from goalloc_cli.report.documents.names import FORMATS

if TYPE_CHECKING:
    from goalloc_cli.analyses.optimize.optimize import Recording
    from goalloc_cli.trace.trace import Trace

LEAST, GO, MOST = 4, 67, 127
"""Classes of a table: 8, 16, 512 and 32,768 bytes there must be; Go has 67; an eighth bit of a span class says noscan."""


@click.command(short_help="Whether other size classes would serve a program better.")
@click.argument("recordings", nargs=-1, required=True, metavar="TRAIN...", type=FILE)
@click.option("--against", multiple=True, metavar="OTHER", type=FILE, help="Judge by this recording, too. Repeatable.")
@click.option("--classes", type=click.IntRange(LEAST, MOST), default=GO, show_default=True, help="Most classes of a table.")
@click.option(
    "--align",
    type=click.Choice(["go", "8", "16"]),
    default="go",
    show_default=True,
    help="What sizes are multiples of; go: as Go could take them.",
)
@design_options
@gc_option
@partial_option
@click.option("--format", "form", type=click.Choice(FORMATS[:-1]), default="table", show_default=True)
@click.option("-o", "--output", help="Write the table to FILE, as --size-classes reads it.", **OUTPUT)
@click.option("--force", is_flag=True, help="Replace an existing FILE.")
@click.option("-q", "--quiet", **QUIET)
@color_option
@click.pass_context
def optimize(
    ctx: click.Context,
    /,
    recordings: tuple[str, ...],
    against: tuple[str, ...],
    classes: int,
    align: str,
    go_version: str | None,
    knobs: tuple[str, ...],
    size_classes: str | None,
    gc: int | None,
    partial: bool,
    form: str,
    output: str | None,
    force: bool,
    quiet: bool,
    color: str | None,
) -> None:
    """Find the size classes that fit TRAIN best, replay it with them, and say whether they are worth having.

    \b
    goalloc optimize app.msgpack --against other.msgpack
    goalloc optimize app.msgpack -o table.txt
    goalloc replay app.msgpack --size-classes table.txt

    Go's own table is always among those tried; so is the one that --size-classes names. Only a
    recording that the table was not made for, another run or another load, tells whether it fits
    the program: name it with --against.
    """
    refuse_early({"output": output, "force": force, "form": form})
    if output == "-":
        raise click.UsageError("-o - : the report goes to the standard output; name a file for the table")
    if len({*recordings, *against}) < len(recordings) + len(against):
        raise click.UsageError("a recording is named twice")
    from goalloc_cli.analyses.optimize.optimize import Asked, optimize
    from goalloc_cli.errors import DesignError
    from goalloc_cli.host.progress import progress_line
    from goalloc_cli.report.documents.optimizing import optimizing_document

    with ExitStack() as open_files, progress_line("optimize", None, quiet) as progress:
        opened = [opener(open_files, name, partial, gc) for name in (*recordings, *against)]
        found = [recording(again, go_version, knobs) for again in opened]
        yours = None
        if size_classes is not None:
            yours = choose_design(opened[0]().header, go_version, knobs, size_classes)[0].size_classes
        try:
            result = optimize(
                found[: len(recordings)], found[len(recordings) :], Asked(classes, align, yours), progress
            )
        except DesignError as error:
            raise click.UsageError(str(error)) from None
    document = optimizing_document(result)
    if output is not None:
        write_table(output, force, document)
        if not quiet:
            say(f"{output}: the table {document['candidates'][document['chosen']]['name']!r}")
    show(ctx, document, (), form, None, force, quiet, color)


def opener(open_files: ExitStack, name: str, partial: bool, gc: int | None) -> Callable[[], Trace]:
    """What opens a recording again and again. One that is no trace in a file is read once, and kept as one."""
    from goalloc_cli.importers.sniff import open_trace
    from goalloc_cli.native.kept import kept

    def again() -> Trace:
        return open_trace(name, partial=partial)

    if gc is None and name != "-" and Path(name).is_file() and is_native(name):
        return again
    return open_files.enter_context(kept(with_cycles(again(), gc)))


def recording(again: Callable[[], Trace], go_version: str | None, knobs: tuple[str, ...]) -> Recording:
    """A recording and its allocator."""
    from goalloc_cli.analyses.optimize.optimize import Recording

    design, name, _ = choose_design(again().header, go_version, knobs)
    return Recording(again, design, name)


def write_table(output: str, force: bool, document: dict[str, Any]) -> None:
    """Write the chosen table, as `--size-classes` reads it, with a comment of how it was made."""
    from goalloc_cli.host.sink import write_file
    from goalloc_cli.report.units import clean

    chosen = document["candidates"][document["chosen"]]
    made_for = ", ".join(clean(each["name"]) for each in document["recordings"] if each["trained"])
    lines = [
        f"# Size classes ({chosen['name']}) for {made_for}; {clean(document['design'])}",
        f"# goalloc {document['goalloc_version']} optimize --classes {document['most_classes']} --align {document['align']}",
        f"# Verdict: {document['verdict']['answer']}",
        "# bytes pages",
        *(f"{size} {npages}" for size, npages in chosen["classes"]),
    ]
    write_file(output, force, lambda file: file.write("".join(f"{line}\n" for line in lines).encode()))
