"""goalloc design"""

from __future__ import annotations

from typing import Any

import click

from goalloc_cli.commands.choose import design_options, named_design, named_release
from goalloc_cli.commands.options import refuse_early, table_options
from goalloc_cli.commands.show import show_table


@click.command(short_help="Print the knobs of an allocator, and why each is there.")
@design_options
@click.option("--diff", "other", metavar="VERSION", help="Only the knobs in which this Go release differs.")
@table_options
@click.pass_context
def design(
    ctx: click.Context,
    /,
    go_version: str | None,
    knobs: tuple[str, ...],
    size_classes: str | None,
    other: str | None,
    **options: Any,
) -> None:
    """Print every knob of a Go release's allocator, its value and its reason."""
    refuse_early(options)
    from goalloc_cli.report.tables import allocator

    chosen, name = named_design(go_version, knobs, size_classes)
    if other is None:
        table = allocator.knobs(chosen, name)
    else:
        short = ".".join(other.removeprefix("go").split(".")[:2])
        table = allocator.differences(chosen, name, named_release(other), f"go{short}")
    show_table(ctx, table, people=allocator.for_people(table), **options)
