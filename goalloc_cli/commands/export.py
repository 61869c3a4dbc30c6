"""goalloc export"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from goalloc_cli.commands.choose import choose_design, design_options
from goalloc_cli.commands.options import OUTPUT, QUIET, gc_option, partial_option, refuse_early, with_cycles
from goalloc_cli.commands.replay import sampling
from goalloc_cli.commands.show import say
from goalloc_cli.commands.words import FILE, Near
from goalloc_cli.report.units import plural

if TYPE_CHECKING:
    from goalloc_cli.analyses.held import Moment
    from goalloc_cli.design.allocator import Design
    from goalloc_cli.results.exported.held import Held, Measured
    from goalloc_cli.trace.trace import Trace

ROWS = ("jsonl", "csv", "rows")
MOMENTS = ("pprof", "benchstat", "openmetrics")
"""Forms that show the heap at a moment."""
COLUMNS = ("parquet", "arrow")
FORMS = {
    "jsonl": "JSON Lines",
    "csv": "CSV",
    "rows": "msgpack",
    "pprof": "a profile",
    "benchstat": "benchmark lines",
    "openmetrics": "OpenMetrics",
    "perfetto": "a Perfetto trace",
    "parquet": "Parquet",
    "arrow": "a stream of Arrow",
}
"""The forms, and what each of them is."""
NAMED = {
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl"),
    ".csv": "csv",
    ".tsv": "TSV",
    ".msgpack": "rows",
    ".pftrace": "perfetto",
    ".parquet": "parquet",
    **dict.fromkeys((".arrow", ".arrows"), "arrow"),
}
"""The form that the end of a file's name promises."""
BINARY = ("rows", "pprof", "perfetto", "parquet", "arrow")
"""Forms that are not for a terminal."""
TABLES = ("events", "samples")


@click.command(short_help="Write a trace, or what its replay shows, for other tools: pprof, Perfetto, Parquet, ...")
@click.argument("trace", metavar="TRACE", type=FILE)
@click.option("--to", "form", type=Near([*FORMS]), required=True, metavar="FORM", help=f"{', '.join(FORMS)}.")
@click.option("-o", "--output", help="Write to FILE, whole or not at all.", **OUTPUT)
@click.option(
    "--at",
    metavar="MOMENT",
    help="Of pprof, benchstat and openmetrics: peak, end, gc:N, event:N, or the name of a checkpoint.",
)
@click.option("--stacks", metavar="PROFILE", type=FILE, help="Of pprof: lay it on the stacks of that run's heap profile.")
@click.option("--table", type=click.Choice(TABLES), help="Of parquet and arrow: events (default), or samples of a replay.")
@click.option("--every", metavar="gc|N", help="Of perfetto and samples: sample at each GC (default), or each N events.")
@design_options
@gc_option
@partial_option
@click.option("--force", is_flag=True, help="Replace an existing FILE.")
@click.option("-q", "--quiet", **QUIET)
def export(form: str, output: str | None, force: bool, **options: Any) -> None:
    """Write TRACE ("-" is the standard input) for other tools.

    \b
    jsonl, csv, rows  the events, for any script; imported again they are the same
    pprof             who holds the heap, by type or call stack: go tool pprof
    benchstat         what a replay comes to, to be compared with another
    openmetrics       the same, under the names that Go's metrics have
    perfetto          the heap over time, for ui.perfetto.dev
    parquet, arrow    events or samples as columns, for DuckDB, polars and pandas

    All but the events are found by a replay, which takes --go, --set and --size-classes as
    goalloc replay does.
    """
    asked = Asked(**options)
    refuse_other_name(output, form)
    refuse_options(form, asked, output)
    refuse_early({"output": output, "force": force, "form": "msgpack" if form in BINARY else form})
    write = Written(output or "-", force)
    if form in ROWS:
        told = plural(write_rows(asked, form, write), "event")
    elif form in COLUMNS:
        told = plural(write_columns(asked, form, write), "row")
    elif form == "perfetto":
        told = plural(write_packets(asked, write), "packet")
    else:
        told = plural(write(lambda file: file.write(exported(asked, form))), "byte")
    if output and not asked.quiet:
        say(f"{output}: {told}")


@dataclass(frozen=True)
class Written:
    """Where the export goes."""

    path: str
    force: bool

    def __call__(self, writer: Callable[[BinaryIO], int]) -> int:
        """Write a file whole or not at all; return what the writer counts."""
        from goalloc_cli.host.sink import write_file

        return write_file(self.path, self.force, writer)


@dataclass(frozen=True)
class Asked:
    """What the command was asked for, beside the form."""

    trace: str
    at: str | None
    stacks: str | None
    table: str | None
    every: str | None
    go_version: str | None
    knobs: tuple[str, ...]
    size_classes: str | None
    gc: int | None
    partial: bool
    quiet: bool

    def opened(self) -> Trace:
        """The trace, from its beginning."""
        from goalloc_cli.importers.sniff import open_trace

        return with_cycles(open_trace(self.trace, partial=self.partial), self.gc)

    @property
    def trace_is_there(self) -> bool:
        """Whether there is such a trace; where there is none, opening it will tell."""
        return self.trace == "-" or Path(self.trace).exists()

    def design(self, trace: Trace) -> tuple[Design, str, bool]:
        """The design, its name, and whether the trace's hints hold for it."""
        return choose_design(trace.header, self.go_version, self.knobs, self.size_classes)

    def remark(self, trace: Trace) -> None:
        """Say what showed while the trace was walked."""
        for remark in () if self.quiet else trace.remarks:
            say(f"note: {remark}")


def refuse_other_name(output: str | None, form: str) -> None:
    """Refuse a name that promises another form: x.jsonl with msgpack in it misleads whoever opens it."""
    ending = "".join(Path(output or "-").suffixes[-1:]).lower()
    promised = NAMED.get(ending, form)
    if promised == form:
        return
    told = f"write it so with --to {promised}" if promised in FORMS else "there is no such form"
    writes = f"--to {form} writes {FORMS[form]}"
    raise click.UsageError(f"{output}: ends in {ending}, and {writes}; {told}, or choose another name")


def refuse_options(form: str, asked: Asked, output: str | None) -> None:
    """Refuse what the form cannot take."""
    has_samples = form == "perfetto" or asked.table == "samples"
    if asked.at is not None and form not in MOMENTS:
        raise click.UsageError(f"--at goes with {', '.join(MOMENTS)}: {form} shows more than one moment")
    if asked.stacks is not None and form != "pprof":
        raise click.UsageError("--stacks goes with --to pprof")
    if asked.table is not None and form not in COLUMNS:
        raise click.UsageError(f"--table goes with {' and '.join(COLUMNS)}")
    if asked.every is not None and not has_samples:
        raise click.UsageError("--every goes with --to perfetto and --table samples")
    if not has_samples and form not in MOMENTS and (asked.go_version or asked.knobs or asked.size_classes):
        raise click.UsageError("--go, --set and --size-classes choose a replay, and the events are those of the trace")
    if form == "pprof" and asked.at in (None, "peak") and not Path(asked.trace).is_file() and asked.trace_is_there:
        raise click.UsageError(f"{asked.trace} can be read only once, and the peak takes two replays: write it to a file")
    if form == "parquet" and output in (None, "-"):
        raise click.UsageError("Parquet is not written in one go: name a file with -o")
    if form in COLUMNS:
        need_pyarrow(form)


def need_pyarrow(form: str) -> None:
    """Refuse a form whose library is not there."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise click.UsageError(f"--to {form} needs pyarrow: pip install 'goalloc[parquet]'") from None


def write_rows(asked: Asked, form: str, write: Written) -> int:
    """Write the events as rows; return how many there are."""
    from goalloc_cli.exporters.rows import write_rows
    from goalloc_cli.host.progress import progress_line, ticking

    found = asked.opened()
    with progress_line("export", found.events, asked.quiet) as tick:
        batches = ticking(found.batches, tick)
        events = write(lambda file: write_rows(found.header, batches, file, form))
    asked.remark(found)
    return events


def write_columns(asked: Asked, form: str, write: Written) -> int:
    """Write the events, or the samples of a replay, as columns; return the rows."""
    from goalloc_cli.exporters.columns import WRITERS, event_tables, sample_tables
    from goalloc_cli.host.ahead import ahead
    from goalloc_cli.host.progress import progress_line, ticking

    writer = WRITERS[form]
    if asked.table == "samples":
        outcome, _ = replayed(asked)
        return write(lambda file: writer(sample_tables(outcome), file))
    found = asked.opened()
    with progress_line("export", found.events, asked.quiet) as tick:
        batches = ticking(found.batches, tick)
        rows = write(lambda file: writer(ahead(event_tables(batches), 1), file))
    asked.remark(found)
    return rows


def write_packets(asked: Asked, write: Written) -> int:
    """Write a replay as a Perfetto trace; return its packets."""
    from goalloc_cli.analyses.timeline import timeline
    from goalloc_cli.exporters.perfetto import write_perfetto
    from goalloc_cli.host.progress import progress_line

    trace = asked.opened()
    design, name, hints = asked.design(trace)
    with progress_line("replay", trace.events, asked.quiet) as tick:
        found = timeline(trace, design, design_name=name, every=sampling(asked.every or "gc"), hints=hints, progress=tick)
    asked.remark(trace)
    return write(lambda file: sum(1 for packet in write_perfetto(found) if file.write(packet)))


def exported(asked: Asked, form: str) -> bytes:
    """What a replay shows, in one of the forms that hold moments."""
    if form == "pprof":
        from goalloc_cli.exporters.pprof import write_pprof

        return write_pprof(held_by(asked))
    from goalloc_cli.exporters.benchstat import write_benchstat
    from goalloc_cli.exporters.openmetrics import write_openmetrics

    return {"benchstat": write_benchstat, "openmetrics": write_openmetrics}[form](measured_by(asked))


def held_by(asked: Asked) -> Held:
    """Who holds the heap at the moment, by default the peak."""
    from goalloc_cli.analyses.held import held
    from goalloc_cli.importers.heapprofile import read_heap_profile

    profile = None if asked.stacks is None else read_heap_profile(asked.stacks)
    moment = moment_of(asked)
    run, stacks, name = stopped_at(asked, moment)
    found = held(run, stacks, name, moment)
    if profile is None:
        return found
    from goalloc_cli.analyses.laid import laid_on

    return laid_on(found, profile)


def moment_of(asked: Asked) -> Moment:
    """The moment; the peak is found by a replay of its own."""
    from goalloc_cli.analyses.held import Moment, moment_of

    moment = moment_of(asked.at or "peak")
    if moment.kind != "peak":
        return moment
    peak = replayed(asked)[0].peak[0]
    return Moment("peak", int(peak["event"]), row=peak)


def measured_by(asked: Asked) -> Measured:
    """The heap at the peak and at the end, or at the moment that was asked for."""
    from goalloc_cli.analyses.held import moment_of, sample_of
    from goalloc_cli.results.exported.held import Measured

    if asked.at in (None, "peak", "end"):
        outcome, name = replayed(asked)
        moments = {"peak": outcome.peak[0], "end": outcome.samples[-1]}
        wanted = {at: row for at, row in moments.items() if asked.at in (None, at)}
        return Measured(asked.trace, name, wanted)
    run, _, name = stopped_at(asked, moment_of(asked.at))
    return Measured(asked.trace, name, {asked.at: sample_of(run)})


def replayed(asked: Asked) -> tuple[Any, str]:
    """The outcome of a whole replay, and the name of its design."""
    from goalloc_cli.analyses.replay import replay
    from goalloc_cli.host.progress import progress_line

    trace = asked.opened()
    design, name, hints = asked.design(trace)
    with progress_line("replay", trace.events, asked.quiet) as tick:
        outcome = replay(trace, design, design_name=name, every=sampling(asked.every or "gc"), hints=hints, progress=tick)
    asked.remark(trace)
    return outcome, name


def stopped_at(asked: Asked, moment: Moment) -> tuple[Any, Any, str]:
    """A replay that was stopped at the moment, the stacks of its objects, and the name of its design."""
    from goalloc_cli.analyses.held import stopped
    from goalloc_cli.host.progress import progress_line

    trace = asked.opened()
    design, name, hints = asked.design(trace)
    with progress_line("replay", trace.events, asked.quiet) as tick:
        return *stopped(trace, design, moment, hints=hints, progress=tick), name
