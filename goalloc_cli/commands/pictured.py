"""A replay with all that its page shows: pictures, other releases, other settings of the pacer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from goalloc_cli.commands.choose import choose_design
from goalloc_cli.commands.several import Job, compiles, events_of, joined, named, opened, replayed, with_bases
from goalloc_cli.commands.show import show

if TYPE_CHECKING:
    from goalloc_cli.host.parallel import Tick

Document = dict[str, Any]

PACES = "25:400"
"""Settings of GOGC that --pace tries."""


@dataclass(frozen=True)
class Part:
    """What is made of a trace: a replay, or a part of the page beside it."""

    job: Job
    kind: str = "replay"
    """"replay" or "pace"."""

    def __str__(self) -> str:
        return str(self.job)


def replay_pictured(
    ctx: click.Context, job: Job, versions: list[str | None], with_pace: bool, reports: tuple[str, ...],
    judge: Callable[[Document], Document], **options: Any,
) -> None:  # fmt: skip
    """Replay one trace, as it is where several releases are named, and show it with all that belongs to its page."""
    show(ctx, judge(pictured(job, versions, with_pace, options["quiet"])), reports, **options)


def pictured(job: Job, versions: list[str | None], with_pace: bool, quiet: bool) -> Document:
    """The document.

    Raises:
        Exception: what a replay, or the pacer, ended with.
    """
    from goalloc_cli.host.parallel import in_order
    from goalloc_cli.host.progress import progress_line

    parts = parts_of(job, versions, with_pace)
    replays = [part.job for part in parts if part.kind == "replay"]
    is_file = Path(job.trace).is_file()
    with progress_line("replay", events_of(replays) if is_file else None, quiet) as tick:
        results = in_order(made, parts, tick if is_file else None, first_here=is_file and compiles(replays))
        found = list(zip(parts, told(results, parts), strict=True))
    document, *others = [result for part, result in found if part.kind == "replay"]
    beside = {part.kind: result for part, result in found if part.kind != "replay"}
    if len(versions) > 1:
        *under, base = others
        return {**document, "releases": joined(under, base, len(versions), ()), **beside}
    return {**(joined([document], others[0], 1, ()) if others else document), **beside}


def parts_of(job: Job, versions: list[str | None], with_pace: bool) -> list[Part]:
    """What is to be made: the replay first, behind it those of other releases and the base, then the rest."""
    if not Path(job.trace).is_file():  # it can be read only once
        return [Part(replace(job, go_version=versions[0]))]
    if len(versions) > 1:
        under = [replace(job, go_version=version, pictures=False) for version in versions]
        parts = [Part(replace(job, go_version=None)), *(Part(one) for one in with_bases(under, len(versions)))]
    else:
        one, *base = with_bases([replace(job, go_version=versions[0])], 1)
        parts = [Part(one), *(Part(replace(each, pictures=False)) for each in base)]
    own = replace(job, go_version=None, pictures=False)
    return [*parts, *([Part(own, "pace")] if with_pace else [])]


def told(results: Iterator[Any], parts: list[Part]) -> Iterator[Any]:
    """The results; raise the first that is an error."""
    for part, result in zip(parts, results, strict=True):
        if isinstance(result, Exception):
            raise named(result, part.job)
        yield result


def made(part: Part, tick: Tick) -> Document | None:
    """Make one part."""
    return replayed(part.job, tick) if part.kind == "replay" else paced(part.job)


def paced(job: Job) -> Document:
    """What other settings of GOGC would have done."""
    from goalloc_cli.analyses.pace.answer import Asked, answer
    from goalloc_cli.commands.pace import settings
    from goalloc_cli.report.documents.pacing import pacing_document

    found = opened(job)
    design, name, hints = choose_design(found.header, None, job.knobs, job.size_classes)
    return pacing_document(answer(found, design, name, hints, Asked(settings(PACES, None))))
