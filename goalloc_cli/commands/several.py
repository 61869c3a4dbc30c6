"""Several replays at once: of several traces, or of one under several releases."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from goalloc_cli.commands.choose import choose_design, named_release
from goalloc_cli.commands.options import with_cycles
from goalloc_cli.commands.show import show_all

if TYPE_CHECKING:
    from goalloc_cli.host.parallel import Tick
    from goalloc_cli.trace.trace import Trace

Document = dict[str, Any]

BY_LINE = ("line", None)
"""Call sites by line, all of them: how they are counted where nobody asks for more."""


@dataclass(frozen=True)
class Job:
    """One replay."""

    trace: str
    go_version: str | None = None
    knobs: tuple[str, ...] = ()
    size_classes: str | None = None
    every: str | int = "gc"
    check: bool = False
    lenient: bool = False
    partial: bool = False
    gc: int | None = None
    """GOGC of the cycles that are put in, if any are."""
    pictures: bool = False
    """Samples and maps are taken along."""
    who: tuple[str, str | None] | None = None
    """Follow who allocates; call sites are counted so (--group-by, --focus)."""
    at_peak: bool = True
    """Where it is, find who holds the heap at its peak, too: by a second replay, for the first one finds where that is."""
    base: bool = False
    """The trace's own release, as it is, but with the model's own sweeper: what a what-if is to be held against."""
    own: bool = False
    """With the model's own sweeper, whatever the release: so that several are alike in that."""

    def __str__(self) -> str:
        return self.trace if self.go_version is None else f"{self.trace} under Go {self.go_version}"


def versions_of(go_version: str | None) -> list[str | None]:
    """The releases that --go names, separated by commas; each once. None is the trace's own."""
    if go_version is None or "," not in go_version:
        return [go_version]
    versions = list(dict.fromkeys(word.strip() for word in go_version.split(",")))
    for version in versions:
        named_release(version)
    return [*versions]


def refuse(traces: tuple[str, ...], versions: list[str | None], form: str, is_held: bool) -> None:
    """What several replays at once cannot do."""
    if is_held and len(versions) > 1:
        raise click.UsageError("--fail-on goes with one release; goalloc compare holds one against another")
    if len(traces) > 1 and form in ("msgpack", "html"):
        raise click.UsageError(f"{form} holds one replay: name one trace, or take --format json")
    if len(set(traces)) < len(traces):
        raise click.UsageError("a trace is named twice")
    for trace in traces:
        if trace != "-" and not Path(trace).exists():
            raise click.UsageError(f"{trace}: No such file or directory")
        if not Path(trace).is_file() and len(traces) * len(versions) > 1:
            raise click.UsageError(f"{trace} can be read only once, by one replay: write it to a file first")


def replay_several(
    ctx: click.Context,
    jobs: list[Job],
    versions: int,
    reports: tuple[str, ...],
    judge: Callable[[Document], Document],
    **options: Any,
) -> None:
    """Do all jobs, `versions` of them and perhaps a base for each trace, and show what they come to, once it is judged.

    Raises:
        ExceptionGroup: the replays that failed; those that did not are shown.
    """
    failed: list[Exception] = []
    found = documents(jobs, versions, reports, failed, options["quiet"])
    show_all(ctx, (judge(document) for document in found), reports, **options)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise ExceptionGroup("replays failed", failed)


def with_bases(jobs: list[Job], versions: int) -> list[Job]:
    """The same jobs, and after those of each trace its base, where they may be what-ifs."""
    out: list[Job] = []
    for number, job in enumerate(jobs, 1):
        out.append(job)
        if number % versions == 0 and (job.go_version or job.knobs or job.size_classes):
            out.append(replace(job, go_version=None, knobs=(), size_classes=None, base=True, who=None))
    return out


def documents(
    jobs: list[Job], versions: int, reports: tuple[str, ...], failed: list[Exception], quiet: bool
) -> Iterator[Document]:
    """A document for each trace, in order; errors go to `failed`."""
    from goalloc_cli.host.parallel import QUICK_SECONDS, in_order
    from goalloc_cli.host.progress import progress_line

    of_trace: list[Document] = []
    base: Document | None = None
    with progress_line("replay", events_of(jobs), quiet) as tick:
        results = in_order(replayed, jobs, tick, compiles(jobs), QUICK_SECONDS)
        for number, (job, found) in enumerate(zip(jobs, results, strict=True)):
            if not of_trace:
                base = None
            if job.base:
                # Where it fails, so did the others, and they have told why.
                base = None if isinstance(found, Exception) else found
            elif isinstance(found, Exception):
                failed.append(named(found, job))
            elif found is not None:
                of_trace.append(found)
            following = jobs[number + 1] if number + 1 < len(jobs) else None
            if not of_trace or (following and (following.base or (following.trace == job.trace and not job.base))):
                continue
            if tick is not None:  # the report is printed over the line of progress
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()
            yield joined(of_trace, base, versions, reports)
            of_trace, base = [], None


def joined(replays: list[Document], base: Document | None, versions: int, reports: tuple[str, ...]) -> Document:
    """Several releases side by side, the base first, with the reports of each; one replay with its base beside it."""
    from goalloc_cli.report.documents.compared import compared_document, with_base
    from goalloc_cli.report.reports import part_of

    if versions > 1:
        found = replays if base is None else [base, *replays]
        beside = compared_document(found)
        return {**beside, "reports": [part_of(replay, reports) for replay in found]} if reports else beside
    if base is None or replays[0]["design"]["mode"] != "what-if":
        return replays[0]
    return with_base(replays[0], base)


def named(error: Exception, job: Job) -> Exception:
    """The error; where it does not tell of which trace it is, of that."""
    if job.trace in str(error) or isinstance(error, OSError | click.ClickException):
        return error
    error.args = (f"{job}: {error}", *error.args[1:])
    return error


def replayed(job: Job, tick: Tick) -> Document | None:
    """Do one job: the document of a replay; None for the base of a trace that has no hints to set aside."""
    from goalloc_cli.analyses.replay import replay
    from goalloc_cli.analyses.who.moment import Watch, moments, whos_at
    from goalloc_cli.analyses.who.sites import sites
    from goalloc_cli.report.documents.replay import document

    found = opened(job)
    design, name, hints = choose_design(found.header, job.go_version, job.knobs, job.size_classes)
    if job.base and not found.header.hints:
        return None
    if job.base or (job.own and hints):
        name, hints = f"{name} own", False
    watch = Watch(found, design) if job.who else None
    outcome = replay(
        watch.trace if watch else found, design, design_name=name, every=job.every, check=job.check, hints=hints,
        progress=tick, pictures=job.pictures, at_end=watch.look if watch else None,
    )  # fmt: skip
    if watch is None or watch.found is None or job.who is None:
        return document(outcome, found.size_bytes)
    # The moments are known only now.
    events = moments(outcome) if job.at_peak else {}
    before = dict(zip(events, whos_at(opened(job), design, [*events.values()], hints=hints), strict=True)) if events else {}
    return document(outcome, found.size_bytes, watch.found, before, sites(watch.found, *job.who))


def all_replayed(jobs: list[Job], quiet: bool) -> list[Document]:
    """The documents of all jobs, in order, made on all cores.

    Raises:
        ExceptionGroup: the replays that failed.
    """
    from goalloc_cli.host.parallel import QUICK_SECONDS, in_order
    from goalloc_cli.host.progress import progress_line

    if not jobs:
        return []
    found: list[Document] = []
    failed: list[Exception] = []
    with progress_line("replay", events_of(jobs), quiet) as tick:
        for job, result in zip(jobs, in_order(replayed, jobs, tick, compiles(jobs), QUICK_SECONDS), strict=True):
            if isinstance(result, Exception):
                failed.append(named(result, job))
            elif result is not None:
                found.append(result)
    if failed:
        raise failed[0] if len(failed) == 1 else ExceptionGroup("replays failed", failed)
    return found


def opened(job: Job) -> Trace:
    """The trace of a job, as its options have it."""
    from goalloc_cli.analyses.badevents import leniently
    from goalloc_cli.importers.sniff import open_trace

    found = open_trace(job.trace, partial=job.partial, lenient=job.lenient)
    return with_cycles(leniently(found) if job.lenient else found, job.gc)


def compiles(jobs: list[Job]) -> bool:
    """Whether something is still to be compiled: then the first replay goes alone, and the others find it compiled."""
    from goalloc_cli.compiled.keeping import is_compiled

    return not is_compiled("model") or not (is_compiled("importers") or all(is_native(job.trace) for job in jobs))


def is_native(path: str) -> bool:
    """Whether a file is a goalloc trace: it is read without kernels."""
    from goalloc_cli.errors import TraceError
    from goalloc_cli.host.source import open_source
    from goalloc_cli.importers.sniff import FORMS, HEAD

    source = open_source(path)
    try:
        return FORMS[0].first_bytes.match(source.peek(HEAD)) is not None
    except TraceError:  # its own replay will tell
        return False
    finally:
        source.close()


def events_of(jobs: list[Job]) -> int | None:
    """The number of events of all jobs together, where it is known without reading."""
    from goalloc_cli.errors import TraceError
    from goalloc_cli.importers.sniff import open_trace

    if not sys.stderr.isatty():
        return None
    total = 0
    for job in jobs:
        try:
            found = open_trace(job.trace)
        except (TraceError, OSError):
            continue
        if found.events is None:
            return None
        total += found.events
    return total
