"""goalloc pace"""

from __future__ import annotations

from itertools import product
from typing import Any

import click

from goalloc_cli.commands.choose import choose_design, design_options
from goalloc_cli.commands.options import output_options, partial_option, refuse_early, size_of
from goalloc_cli.commands.show import show

USUAL = "50,100,200,400"
GOGC_STEPS, LIMIT_STEPS = 9, 7
"""Settings that A:B stands for, each the same factor above the one before."""
MOST_SETTINGS = 256
MOST_GOGC = 1_000_000
LEAST_LIMIT = 1 << 20


@click.command(short_help="What another GOGC and GOMEMLIMIT would have done.")
@click.argument("recording", metavar="TRACE")
@click.option("--gogc", metavar="N,..|A:B", help=f"GOGC to try: 50,off or a sweep 25:400.  [default: {USUAL}]")
@click.option("--memory-limit", "limits", metavar="SIZE,..|A:B", help="GOMEMLIMIT to try: 256MiB,off or 64MiB:1GiB.")
@click.option("--budget", metavar="SIZE", help="Say what to set so that no more memory than SIZE is needed.")
@click.option("--gctrace", metavar="FILE", help="What GODEBUG=gctrace=1 prints without tracing: when it collects.")
@click.option("--overhead", metavar="SIZE", help="What Go maps beside heap, stacks and records.")
@click.option("--recorded-gogc", type=click.IntRange(1, MOST_GOGC), help="GOGC of the recording, if its goals do not tell.")
@design_options
@partial_option
@output_options
@click.pass_context
def pace(
    ctx: click.Context,
    /,
    recording: str,
    gogc: str | None,
    limits: str | None,
    budget: str | None,
    gctrace: str | None,
    overhead: str | None,
    recorded_gogc: int | None,
    go_version: str | None,
    knobs: tuple[str, ...],
    size_classes: str | None,
    partial: bool,
    **options: Any,
) -> None:
    """Predict what TRACE would have done under other settings of GOGC and GOMEMLIMIT.

    \b
    goalloc pace app.msgpack --gogc 50,100,200,off --memory-limit 256MiB,512MiB
    goalloc pace app.msgpack --budget 512MiB
    goalloc pace app.msgpack --gogc 25:800

    The model's own pacer starts and ends collections. The first row is the setting of the recording,
    predicted beside recorded. A recording with GOGC=10 to 25 knows best when objects die
    (goalloc record --fine).
    """
    refuse_early(options)
    chosen = settings(gogc, limits)
    budget_bytes = None if budget is None else size_of(budget)
    overhead_bytes = None if overhead is None else size_of(overhead)
    from goalloc_cli.analyses.pace.answer import Asked, answer
    from goalloc_cli.host.progress import progress_line
    from goalloc_cli.importers.sniff import open_trace
    from goalloc_cli.report.documents.pacing import pacing_document

    text = None if gctrace is None else read_gctrace(gctrace)
    found = open_trace(recording, partial=partial)
    design, name, hints = choose_design(found.header, go_version, knobs, size_classes)
    if design.gogc < 0:
        raise click.UsageError("gogc=-1 sets nothing here: name settings with --gogc and --memory-limit")
    asked = Asked(chosen, budget_bytes, text, overhead_bytes, recorded_gogc)
    with progress_line("pace", None, options["quiet"]) as progress:
        pacing = answer(found, design, name, hints, asked, progress)
    return show(ctx, pacing_document(pacing), (), **options)


def read_gctrace(path: str) -> Any:
    """The collections that a program printed."""
    from goalloc_cli.host.source import open_source
    from goalloc_cli.importers.gctrace.read import read_gctrace as read

    source = open_source(path)
    try:
        return read(source)
    finally:
        source.close()


def settings(gogc: str | None, limits: str | None) -> list[tuple[int, int | None]]:
    """Every GOGC, -1 for off, under every limit, None for off."""
    some = gogc or (USUAL if limits is None else "100,off")
    chosen = [(g, limit) for limit, g in product(limits_of(limits), gogcs_of(some))]
    if len(chosen) > MOST_SETTINGS:
        raise click.UsageError(f"these are {len(chosen)} settings, of at most {MOST_SETTINGS}")
    return list(dict.fromkeys(chosen))


def gogcs_of(words: str) -> list[int]:
    """What --gogc names: -1 is off."""
    if ":" in words:
        low, high = (gogc_of(word) for word in swept(words, "--gogc"))
        if low < 1 or high <= low:
            raise click.UsageError(f"--gogc {words}: A:B goes from one number to a higher one")
        return steps(low, high, GOGC_STEPS)
    return [gogc_of(word) for word in words.split(",")]


def gogc_of(word: str) -> int:
    word = word.strip()
    if word == "off":
        return -1
    if not word.isascii() or not word.isdecimal() or not 1 <= int(word) <= MOST_GOGC:
        raise click.UsageError(f"--gogc: {word!r} is neither off nor a number from 1 to {MOST_GOGC:,}")
    return int(word)


def limits_of(words: str | None) -> list[int | None]:
    """What --memory-limit names: None is off."""
    if words is None:
        return [None]
    if ":" in words:
        low, high = (size_of(word) for word in swept(words, "--memory-limit"))
        if low < LEAST_LIMIT or high <= low:
            raise click.UsageError(f"--memory-limit {words}: A:B goes from one size, of 1 MiB at least, to a larger one")
        return [*dict.fromkeys(size >> 20 << 20 for size in steps(low, high, LIMIT_STEPS))]
    return [None if word.strip() == "off" else at_least(size_of(word.strip())) for word in words.split(",")]


def at_least(size: int) -> int:
    if size < LEAST_LIMIT:
        raise click.UsageError(f"--memory-limit: {size} bytes are too few for any Go program")
    return size


def swept(words: str, option: str) -> tuple[str, str]:
    """The ends of A:B."""
    low, _, high = words.partition(":")
    if not low or not high or ":" in high or "," in words:
        raise click.UsageError(f"{option} {words}: expected a list, or two ends A:B")
    return low, high


def steps(low: int, high: int, count: int) -> list[int]:
    """From one to the other, each the same factor above the one before."""
    return list(dict.fromkeys(round(low * (high / low) ** (step / (count - 1))) for step in range(count)))
