"""goalloc replay"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from goalloc_cli.commands.choose import choose_design, design_options
from goalloc_cli.commands.gate import Gate, gate_options
from goalloc_cli.commands.options import gc_option, output_options, partial_option, refuse_early
from goalloc_cli.commands.pictured import replay_pictured
from goalloc_cli.commands.several import BY_LINE, Job, opened, refuse, replay_several, versions_of, with_bases
from goalloc_cli.commands.show import show
from goalloc_cli.commands.words import FILE, Near
from goalloc_cli.report.documents.names import REPLAY_REPORTS, WHO_REPORTS

if TYPE_CHECKING:
    from goalloc_cli.trace.trace import Trace


@click.command(short_help="Replay a trace and report where its memory goes.")
@click.argument("traces", nargs=-1, required=True, metavar="TRACE...", type=FILE)
@click.option(
    "--report",
    "reports",
    type=Near([*REPLAY_REPORTS, "all"]),
    multiple=True,
    metavar="NAME",
    help=f"What to show: {', '.join(REPLAY_REPORTS)} or all. Repeatable. Without it: the main figures.",
)
@click.option("--group-by", type=click.Choice(["func", "line", "package"]), default="line", show_default=True,
              help="Of --report sites: what call sites are counted under.")
@click.option("--focus", metavar="REGEX", help="Of --report sites: only stacks with a function that this is found in.")
@click.option("--every", metavar="gc|N", default="gc", show_default=True, help="Sample at each GC, or each N events.")
@design_options
@click.option("--check", is_flag=True, help="Check every invariant of the heap on the way (slow).")
@click.option("--lenient", is_flag=True, help="Leave out bad events (goalloc check lists them), and count them.")
@gc_option
@click.option("--pictures", is_flag=True, help="Take along what the page draws; --format html does so by itself.")
@click.option("--pace", "with_pace", is_flag=True, help="Of the page: what another GOGC would do, too (goalloc pace).")
@click.option("--load-state", metavar="FILE", type=FILE, help="Go on from a state that --save-state wrote.")
@click.option("--save-state", metavar="FILE", type=FILE, help="Write the state at the end, for the next part of a trace.")
@gate_options
@partial_option
@output_options
@click.pass_context
def replay(
    ctx: click.Context, /, traces: tuple[str, ...], reports: tuple[str, ...], group_by: str, focus: str | None, every: str,
    go_version: str | None, knobs: tuple[str, ...], size_classes: str | None, check: bool, lenient: bool, gc: int | None,
    partial: bool, pictures: bool, with_pace: bool, load_state: str | None, save_state: str | None, rules: tuple[str, ...],
    baseline: str | None, **options: Any,
) -> int:  # fmt: skip
    """Replay TRACE ("-" is the standard input) and report where its memory goes.

    The allocator is that of the release that made the recording; another one (--go) or a changed
    knob (--set) answers a what-if. Several releases (--go 1.12,1.27) are laid side by side, several
    traces are reported one after the other; both use all cores.
    """
    step = sampling(every)
    gate = Gate("goalloc replay", rules, baseline, options["quiet"])
    gate.check("goalloc replay")
    refuse_early(options)
    gate.load()
    versions = versions_of(go_version)
    who = following(reports, group_by, focus) or (BY_LINE if gate.follows() else None)
    at_peak = gate.follows() or not AT_PEAK.isdisjoint(reports)
    first = Job(traces[0], versions[0], knobs, size_classes, step, check, lenient, partial, gc, who=who, at_peak=at_peak)
    pictures = pictures or with_pace or options["form"] == "html"
    if pictures and load_state is None and save_state is None and len(traces) == 1:
        if len(versions) > 1:
            refuse(traces, versions, options["form"], bool(gate))
        replay_pictured(ctx, replace(first, pictures=True), versions, with_pace, reports, gate.judge, **options)
        return gate.end()
    if len(traces) * len(versions) > 1:
        if load_state is not None or save_state is not None:
            raise click.UsageError("--load-state and --save-state go with one trace and one release")
        refuse(traces, versions, options["form"], bool(gate))
        jobs = [replace(first, trace=trace, go_version=version) for trace in traces for version in versions]
        replay_several(ctx, with_bases(jobs, len(versions)), len(versions), reports, gate.judge, **options)
        return gate.end()
    if save_state is not None:
        refuse_early({"output": save_state, "force": options["force"], "form": "msgpack"})
    begin_with = None if load_state is None else state_of(load_state)
    found = opened(first)
    _, _, hints = choose_design(found.header, go_version, knobs, size_classes)
    alone = load_state is None and save_state is None and Path(traces[0]).is_file()
    if alone and (at_peak or (found.header.hints and not hints)):
        replay_several(ctx, with_bases([first], 1), 1, reports, gate.judge, **options)
        return gate.end()
    save = None if save_state is None else state_writer(save_state, options["force"])
    document = replay_here(replace(first, pictures=pictures), found, begin_with, save, options["quiet"])
    show(ctx, gate.judge(document), reports, **options)
    return gate.end()


AT_PEAK = {"who", "live"}
"""Reports that show the peak, too, where they are asked for by name: with "all", one replay is enough."""


def replay_here(
    job: Job, found: Trace, begin_with: tuple[str, bytes] | None, save: Callable[[bytes], None] | None, quiet: bool
) -> dict[str, Any]:
    """The document of one replay in this process: of a trace that can be read only once, or with a state."""
    from goalloc_cli.analyses.replay import replay as run_replay
    from goalloc_cli.analyses.who.moment import Watch
    from goalloc_cli.analyses.who.sites import sites
    from goalloc_cli.host.progress import progress_line
    from goalloc_cli.report.documents.replay import document

    design, name, hints = choose_design(found.header, job.go_version, job.knobs, job.size_classes)
    watch = Watch(found, design) if job.who else None
    with progress_line("replay", found.events, quiet) as progress:
        outcome = run_replay(
            watch.trace if watch else found, design, design_name=name, every=job.every, check=job.check, hints=hints,
            progress=progress, begin_with=begin_with, save=save, pictures=job.pictures,
            at_end=watch.look if watch else None,
        )  # fmt: skip
    if watch is None or not watch.found or job.who is None:
        return document(outcome, found.size_bytes)
    return document(outcome, found.size_bytes, watch.found, sites=sites(watch.found, *job.who))


def state_of(path: str) -> tuple[str, bytes]:
    """The name and the bytes of a saved state."""
    from goalloc_cli.analyses.replay import read_state

    return read_state(path)


def state_writer(path: str, force: bool) -> Callable[[bytes], None]:
    """What writes a state to a file, whole or not at all."""
    from goalloc_cli.host.sink import write_file

    def save(data: bytes) -> None:
        write_file(path, force, lambda file: file.write(data))

    return save


def following(reports: tuple[str, ...], group_by: str, focus: str | None) -> tuple[str, str | None] | None:
    """How call sites are to be counted, where a report asks who allocates; None where none does."""
    try:
        re.compile(focus or "")
    except re.error as error:
        raise click.UsageError(f"--focus {focus!r} is no regular expression: {error}") from None
    return None if {*WHO_REPORTS, "all"}.isdisjoint(reports) else (group_by, focus)


def sampling(every: str) -> str | int:
    """What --every says: "gc", or a number of events."""
    if every == "gc":
        return every
    if not every.isdecimal() or not int(every):
        raise click.UsageError(f"--every takes gc or a number of events, not {every!r}")
    return int(every)
