"""Prints reports, or writes them to a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from goalloc_cli.report.tables.blocks import Block, Table


def show(
    ctx: click.Context,
    document: dict[str, Any],
    reports: tuple[str, ...],
    form: str,
    output: str | None,
    force: bool,
    quiet: bool,
    color: str | None,
) -> None:
    """Print the reports, or write them to a file."""
    from goalloc_cli.host.sink import write_file
    from goalloc_cli.report.forms.output import encoded
    from goalloc_cli.report.forms.render import to_terminal
    from goalloc_cli.report.forms.screen import has_colour, paper_of
    from goalloc_cli.report.reports import blocks

    if form == "csv" and not quiet:
        for note in document["notes"]:
            say(f"note: {note}")
    if output is None and form == "table":
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        colour = has_colour(color or ctx.obj or "auto", sys.stdout)
        to_terminal(blocks(document, reports), paper_of(sys.stdout, colour), sys.stdout, colour)
        return
    data = encoded(document, reports, form)
    write_file(output or "-", force, lambda file: file.write(data))


def show_all(
    ctx: click.Context,
    documents: Iterator[dict[str, Any]],
    reports: tuple[str, ...],
    form: str,
    output: str | None,
    force: bool,
    quiet: bool,
    color: str | None,
) -> None:
    """The same for several documents, each as soon as it is there; JSON has one on each line."""
    from goalloc_cli.host.sink import write_file
    from goalloc_cli.report.forms.output import encoded_all

    if output is None and form == "table":
        for number, document in enumerate(documents):
            if number:
                click.echo()
            show(ctx, document, reports, form, output, force, quiet, color)
            sys.stdout.flush()
        return
    found = list(documents)
    if found:
        write_file(output or "-", force, lambda file: file.write(encoded_all(found, reports, form)))


def show_table(
    ctx: click.Context,
    table: Table,
    form: str,
    output: str | None,
    force: bool,
    color: str | None,
    people: Sequence[Block] | None = None,
) -> None:
    """Print one table, or write it to a file; on a terminal perhaps as other blocks, which people read better."""
    from goalloc_cli.host.sink import write_file
    from goalloc_cli.report.forms.output import encoded_table
    from goalloc_cli.report.forms.render import to_terminal
    from goalloc_cli.report.forms.screen import has_colour, paper_of

    if output is None and form == "table":
        colour = has_colour(color or ctx.obj or "auto", sys.stdout)
        return to_terminal(people or [table], paper_of(sys.stdout, colour), sys.stdout, colour)
    data = encoded_table(table, form)
    write_file(output or "-", force, lambda file: file.write(data))
    return None


def say(message: str) -> None:
    """One line on the standard error."""
    from goalloc_cli.report.units import clean

    click.echo(clean(message), err=True)
