"""goalloc classes"""

from __future__ import annotations

from typing import Any

import click

from goalloc_cli.commands.choose import design_options, named_design
from goalloc_cli.commands.options import refuse_early, table_options
from goalloc_cli.commands.show import show_table


@click.command(short_help="Print the size classes of an allocator.")
@design_options
@table_options
@click.pass_context
def classes(
    ctx: click.Context, /, go_version: str | None, knobs: tuple[str, ...], size_classes: str | None, **options: Any
) -> None:
    """Print the size classes of a Go release's allocator: slots of a span, and what it wastes.

    The table is generated as Go generates it, by the knobs page_size, max_small_size, align_16_from
    and waste_limit, or read from a file.
    """
    refuse_early(options)
    from goalloc_cli.report.tables import allocator

    show_table(ctx, allocator.classes(*named_design(go_version, knobs, size_classes)), **options)
