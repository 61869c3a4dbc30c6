"""goalloc why"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from goalloc_cli.commands.choose import choose_design, design_options
from goalloc_cli.commands.options import output_options, refuse_early
from goalloc_cli.commands.several import Job, compiles, is_native, versions_of
from goalloc_cli.commands.show import show
from goalloc_cli.commands.words import FILE

if TYPE_CHECKING:
    from goalloc_cli.design.allocator import Design
    from goalloc_cli.host.parallel import Tick
    from goalloc_cli.trace.trace import Trace

Values = tuple[int, ...]



@dataclass(frozen=True)
class Try:
    """A replay of a trace under one of the allocators between two."""

    trace: str
    design: Design

    def __str__(self) -> str:
        return self.trace


@click.command(short_help="Which change of Go's allocator changed the memory, byte by byte.")
@click.argument("trace", metavar="TRACE", type=FILE)
@design_options
@output_options
@click.pass_context
def why(
    ctx: click.Context,
    /,
    trace: str,
    go_version: str | None,
    knobs: tuple[str, ...],
    size_classes: str | None,
    **options: Any,
) -> None:
    """Say which change from one allocator to another changed how much memory TRACE needs.

    \b
    goalloc why app.msgpack --go 1.25,1.27      from one release to another
    goalloc why app.msgpack --go 1.27           from the recording's own release to another
    goalloc why app.msgpack --set page_cache=0 --set best_fit=1

    The knobs in which the two differ are turned one by one, in pairs and together, on all cores. Each
    is credited with what it does on average over all orders in which they can be turned (Shapley), so
    that the parts sum to the whole.
    """
    refuse_early(options)
    versions = versions_of(go_version)
    if len(versions) > 2 or (versions == [None] and not knobs):
        raise click.UsageError("name two releases (--go 1.25,1.27), another one (--go 1.27), or knobs (--set)")
    if size_classes is not None:
        raise click.UsageError("a table of size classes is no knob; goalloc compare shows what it changes")
    from goalloc_cli.analyses.attribution.attribute import attribute
    from goalloc_cli.design.parse import design_diff
    from goalloc_cli.host.progress import progress_line
    from goalloc_cli.importers.sniff import open_trace
    from goalloc_cli.report.documents.comparison.why import Between, why_document

    found = open_trace(trace)
    header = found.header
    before, name_before, _ = choose_design(header, versions[0] if len(versions) == 2 else None, ())
    after, name_after, _ = choose_design(header, versions[-1], knobs)
    names = design_diff(before, after)
    made = changes(before, after, names)
    with progress_line("why", None, options["quiet"]) as tick, once_read(found) as path:
        attribution = attribute(names, lambda some: made(some) is not None, measured(path, made, tick))
    between = Between(before, after, name_before, name_after, release_of(name_before), release_of(name_after))
    return show(ctx, why_document(trace, header, between, attribution), (), **options)


@contextmanager
def once_read(found: Trace) -> Iterator[str]:
    """Where the trace is for replay after replay: a recording, which takes longer to read than to replay, as a trace."""
    from goalloc_cli.native.kept import kept_file

    if Path(found.name).is_file() and is_native(found.name):
        found.batches.close() if hasattr(found.batches, "close") else None
        yield found.name
        return
    with kept_file(found) as path:
        yield path


def release_of(name: str) -> str | None:
    """The release that a design of this name is; None where a knob was turned by hand."""
    from goalloc_cli.design.releases import RELEASES

    version = name.removeprefix("go")
    return version if version in RELEASES else None


def changes(before: Design, after: Design, names: list[str]) -> Callable[[frozenset[int]], Design | None]:
    """What a set of changes, by number, makes of the first design: None where that is no allocator."""
    from goalloc_cli.design.allocator import contradiction
    from goalloc_cli.design.sizeclass import size_classes
    from goalloc_cli.errors import DesignError

    def made(some: frozenset[int]) -> Design | None:
        found = replace(before, **{names[n]: getattr(after, names[n]) for n in some})
        try:
            size_classes(found)
        except DesignError:
            return None
        return None if contradiction(found) else found

    return made


def measured(
    trace: str, made: Callable[[frozenset[int]], Design | None], tick: Tick | None
) -> Callable[[list[frozenset[int]]], list[Values]]:
    """What replays the trace with such sets of changes made, on all cores."""
    from goalloc_cli.host.parallel import QUICK_SECONDS, in_order

    def measure(sets: list[frozenset[int]]) -> list[Values]:
        tries = [Try(trace, design) for some in sets if (design := made(some)) is not None]
        assert len(tries) == len(sets)
        found = list(in_order(figures_of, tries, tick, compiles([Job(trace)]), QUICK_SECONDS))
        failed = [result for result in found if isinstance(result, Exception)]
        if failed:
            raise failed[0]
        return [result for result in found if not isinstance(result, Exception)]

    return measure


def figures_of(one: Try, tick: Tick) -> Values:
    """The figures of one replay, with the model's own sweeper."""
    from goalloc_cli.analyses.replay import replay
    from goalloc_cli.importers.sniff import open_trace
    from goalloc_cli.report.documents.comparison.why import figures
    from goalloc_cli.report.documents.replay import document

    found = open_trace(one.trace)
    outcome = replay(found, one.design, design_name="", hints=False, progress=tick)
    return figures(document(outcome))
