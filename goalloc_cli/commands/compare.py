"""goalloc compare"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from goalloc_cli.commands.choose import design_options
from goalloc_cli.commands.gate import Gate, fail_on_option
from goalloc_cli.commands.options import output_options, refuse_early
from goalloc_cli.commands.several import BY_LINE, Job, all_replayed
from goalloc_cli.commands.show import show
from goalloc_cli.commands.sides import Asked, TwoSided, filled, opened, sides
from goalloc_cli.commands.words import FILE

Document = dict[str, Any]

FAIL_ON = (
    "End with exit code 5 where B crosses it: 'HeapInuse>+5%', 'free_slots>+1MiB', 'HeapSys>64MiB'. Of several recordings a "
    "change counts only if p < 0.05. Repeatable."
)


@click.command(cls=TwoSided, short_help="Lay two runs side by side: what changed, and whether it is chance.")
@click.argument("inputs", metavar="A [A...] [--to] B [B...]", nargs=-1, required=True, type=FILE)
@click.option(
    "--to", metavar="B...", multiple=True, type=FILE, help="What follows is the other side, with its own --go and --set."
)
@click.option("--two-sided", is_flag=True, hidden=True)
@click.option("--to-go", hidden=True)
@click.option("--to-set", "to_knobs", multiple=True, hidden=True)
@click.option("--to-size-classes", hidden=True)
@click.option("--cross", is_flag=True, help="Program or allocator? Replay each side's trace under the other's release, too.")
@design_options
@fail_on_option(FAIL_ON)
@output_options
@click.pass_context
def compare(
    ctx: click.Context,
    /,
    inputs: tuple[str, ...],
    to: tuple[str, ...],
    two_sided: bool,
    to_go: str | None,
    to_knobs: tuple[str, ...],
    to_size_classes: str | None,
    cross: bool,
    go_version: str | None,
    knobs: tuple[str, ...],
    size_classes: str | None,
    rules: tuple[str, ...],
    **options: Any,
) -> int:
    """Compare two runs: traces, saved replays, gctrace logs or MemStats.

    \b
    goalloc compare before.msgpack after.msgpack
    goalloc compare before.msgpack after.msgpack --cross           program or allocator?
    goalloc compare a1.replay a2.replay ... --to b1.replay ...     is it chance?
    goalloc compare app.msgpack --go 1.24,1.27                     two releases
    goalloc compare app.msgpack --set page_cache=0                 as it is, and with a knob turned
    goalloc compare app.msgpack --set gogc=50 --to --set gogc=200  two sets of knobs

    One recording of each side is replayed to the byte, so every byte is a difference. Of several the
    medians are compared, and the exact Mann-Whitney test says whether it may be chance.
    """
    gate = Gate("goalloc compare", rules, None, options["quiet"])
    refuse_early(options)
    a, b = sides(
        Asked(inputs, go_version, knobs, size_classes), Asked(to, to_go, to_knobs, to_size_classes), two_sided
    )
    of_a, of_b = opened(a, b)
    if cross and (a.is_what_if or b.is_what_if or not all(isinstance(each, Job) for each in (*of_a, *of_b))):
        raise click.UsageError("--cross replays the traces of both sides: name traces, without --go and --set")
    # Another allocator leaves alive what was alive: who has it is asked of two recordings, or where a limit is about it.
    who = BY_LINE if a.inputs != b.inputs or gate.follows() else None
    jobs = [replace(each, who=who) for each in (*of_a, *of_b) if isinstance(each, Job)]
    replays = all_replayed(jobs, options["quiet"])
    now_a, now_b = filled(of_a, replays), filled(of_b, replays)
    from goalloc_cli.report.documents.comparison.comparison import Side, comparison
    from goalloc_cli.report.documents.saved import shown

    crossed = crossed_over(now_a, now_b, options["quiet"]) if cross else None

    def tell() -> int:
        document = comparison(Side(now_a, a.label), Side(now_b, b.label), crossed)
        show(ctx, gate.compare(document, now_b, now_a), (), **options)
        return gate.end()

    return shown(f"{a.inputs[0]}, {b.inputs[0]}", tell)


def crossed_over(a: list[Document], b: list[Document], quiet: bool) -> Document:
    """Each side's traces under both releases, with the model's own sweeper."""
    from goalloc_cli.report.documents.comparison.cross import cross

    releases = [{document["trace"]["go_version"] for document in side} for side in (a, b)]
    if any(len(found) > 1 for found in releases):
        raise click.UsageError("--cross: the recordings of a side are of different releases of Go")
    one, other = (found.pop() for found in releases)
    jobs = [
        Job(document["trace"]["name"], version, own=True)
        for version in (one, other) for side in (a, b) for document in side
    ]  # fmt: skip
    found = all_replayed(jobs, quiet)
    n, half = len(a), len(a) + len(b)
    return cross((a, b), (found[:n], found[n:half]), (found[half : half + n], found[half + n :]))
