"""goalloc replay"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from goalloc_cli.commands.options import output_options, refuse_early
from goalloc_cli.commands.show import show
from goalloc_cli.report.names import REPLAY_REPORTS

if TYPE_CHECKING:
    from goalloc_cli.design import Design
    from goalloc_cli.trace.trace import Header


@click.command(short_help="Replay a trace and report where its memory goes.")
@click.argument("trace", metavar="TRACE")
@click.option(
    "--report",
    "reports",
    type=click.Choice([*REPLAY_REPORTS, "all"]),
    multiple=True,
    metavar="NAME",
    help=f"What to show: {', '.join(REPLAY_REPORTS)} or all. Repeatable. Without it: the main figures.",
)
@click.option("--every", metavar="gc|N", default="gc", show_default=True, help="Sample at each GC, or each N events.")
@click.option("--go", "go_version", metavar="VERSION", help="Use the allocator of this Go release.")
@click.option("--set", "knobs", metavar="KNOB=VALUE", multiple=True, help="Change one knob of it. May be given again.")
@click.option("--check", is_flag=True, help="Check every invariant of the heap on the way (slow).")
@output_options
@click.pass_context
def replay(
    ctx: click.Context,
    /,
    trace: str,
    reports: tuple[str, ...],
    every: str,
    go_version: str | None,
    knobs: tuple[str, ...],
    check: bool,
    **options: Any,
) -> None:
    """Replay TRACE ("-" is the standard input) and report where its memory goes.

    The allocator is that of the release that made the recording; another one (--go) or a changed
    knob (--set) answers a what-if.
    """
    step = sampling(every)
    refuse_early(options)
    from goalloc_cli.progress import progress_line
    from goalloc_cli.replay import replay as run_replay
    from goalloc_cli.report.document import document
    from goalloc_cli.trace.sniff import open_trace

    found = open_trace(trace)
    design, name, hints = choose_design(found.header, go_version, knobs)
    with progress_line("replay", found.events, options["quiet"]) as progress:
        outcome = run_replay(found, design, design_name=name, every=step, check=check, hints=hints, progress=progress)
    show(ctx, document(outcome, found.size_bytes), reports, **options)


def sampling(every: str) -> str | int:
    """What --every says: "gc", or a number of events."""
    if every == "gc":
        return every
    if not every.isdecimal() or not int(every):
        raise click.UsageError(f"--every takes gc or a number of events, not {every!r}")
    return int(every)


def choose_design(header: Header, go_version: str | None, knobs: tuple[str, ...]) -> tuple[Design, str, bool]:
    """The design to replay, its name, and whether the recording's hints fit it."""
    from goalloc_cli.design import DesignError, release, with_knob

    try:
        wanted = go_version or header.go_version
        design = base = release(wanted)
        hints = go_version is None or base == release(header.go_version)
    except DesignError as error:
        if go_version is None:
            raise click.UsageError(f"the trace was made by Go {header.go_version}: {error}; choose with --go") from None
        try:
            design, hints = release(go_version), False
        except DesignError:
            raise click.UsageError(f"--go: {error}") from None
    for knob in knobs:
        name, equals, value = knob.partition("=")
        if not equals:
            raise click.UsageError(f"--set takes KNOB=VALUE, not {knob!r}")
        try:
            design = with_knob(design, name, value)
        except DesignError as error:
            raise click.UsageError(f"--set: {error}") from None
    short = ".".join(wanted.removeprefix("go").split(".")[:2])
    return design, " + ".join([f"go{short}", *knobs]), hints and not knobs
