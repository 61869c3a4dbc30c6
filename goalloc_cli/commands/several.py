"""Several replays at once: of several traces, or of one under several releases."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from goalloc_cli.commands.choose import choose_design, named_release
from goalloc_cli.commands.options import with_cycles
from goalloc_cli.commands.show import show_all

if TYPE_CHECKING:
    from goalloc_cli.host.parallel import Tick

Document = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One replay."""

    trace: str
    go_version: str | None
    knobs: tuple[str, ...]
    size_classes: str | None
    every: str | int
    check: bool
    lenient: bool
    partial: bool
    gc: int | None = None
    """GOGC of the cycles that are put in, if any are."""

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


def refuse(traces: tuple[str, ...], versions: list[str | None], reports: tuple[str, ...], form: str) -> None:
    """What several replays at once cannot do."""
    if len(versions) > 1 and reports:
        raise click.UsageError("--report goes with one release: several are laid side by side in a table of their own")
    if len(traces) > 1 and form == "msgpack":
        raise click.UsageError("msgpack holds one replay: name one trace, or take --format json")
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
    **options: Any,
) -> None:
    """Do all jobs, `versions` of them for each trace, and show what they come to.

    Raises:
        ExceptionGroup: the replays that failed; those that did not are shown.
    """
    failed: list[Exception] = []
    show_all(ctx, documents(jobs, versions, failed, options["quiet"]), reports, **options)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise ExceptionGroup("replays failed", failed)


def documents(jobs: list[Job], versions: int, failed: list[Exception], quiet: bool) -> Iterator[Document]:
    """A document for each trace, in order; errors go to `failed`."""
    from goalloc_cli.host.parallel import in_order
    from goalloc_cli.host.progress import progress_line
    from goalloc_cli.report.documents.compared import compared_document

    of_trace: list[Document] = []
    with progress_line("replay", events_of(jobs), quiet) as tick:
        for number, found in enumerate(in_order(replayed, jobs, tick, first_here=compiles(jobs)), 1):
            if isinstance(found, Exception):
                failed.append(named(found, jobs[number - 1]))
            else:
                of_trace.append(found)
            if number % versions or not of_trace:
                continue
            if tick is not None:  # the report is printed over the line of progress
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()
            yield compared_document(of_trace) if versions > 1 else of_trace[0]
            of_trace = []


def named(error: Exception, job: Job) -> Exception:
    """The error; where it does not tell of which trace it is, of that."""
    if job.trace in str(error) or isinstance(error, OSError | click.ClickException):
        return error
    error.args = (f"{job}: {error}", *error.args[1:])
    return error


def replayed(job: Job, tick: Tick) -> Document:
    """Do one job: the document of a replay."""
    from goalloc_cli.analyses.badevents import leniently
    from goalloc_cli.analyses.replay import replay
    from goalloc_cli.importers.sniff import open_trace
    from goalloc_cli.report.documents.replay import document

    found = open_trace(job.trace, partial=job.partial, lenient=job.lenient)
    if job.lenient:
        found = leniently(found)
    found = with_cycles(found, job.gc)
    design, name, hints = choose_design(found.header, job.go_version, job.knobs, job.size_classes)
    outcome = replay(found, design, design_name=name, every=job.every, check=job.check, hints=hints, progress=tick)
    return document(outcome, found.size_bytes)


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
