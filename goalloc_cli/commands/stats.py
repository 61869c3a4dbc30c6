"""goalloc stats"""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, Any

import click

from goalloc_cli.commands.gate import Gate, gate_options
from goalloc_cli.commands.inputs import document_of
from goalloc_cli.commands.options import gc_option, output_options, partial_option, refuse_early, size_of, with_cycles
from goalloc_cli.commands.printed import close, gctrace, memstats, side_by_side
from goalloc_cli.commands.show import show
from goalloc_cli.commands.words import FILE, meant, one_of, releases
from goalloc_cli.report.documents.names import GCTRACE_REPORTS, MEMSTATS_REPORTS, REPORTS_OF, STATS_REPORTS

if TYPE_CHECKING:
    from goalloc_cli.host.source import Source
    from goalloc_cli.importers.sniff import Printed
    from goalloc_cli.trace.trace import Trace
Document = dict[str, Any]

READS = (
    "a trace or a recording, a saved replay, MemStats (a print, JSON, expvar, /debug/pprof/heap?debug=1), a Prometheus "
    "scrape, runtime/metrics, or a log with GODEBUG=gctrace=1"
)


@click.command(short_help="Describe a trace, MemStats, a scrape or a gctrace log; show a saved replay again.")
@click.argument("inputs", metavar="[INPUT]...", nargs=-1, type=FILE)
@click.option(
    "--report",
    "reports",
    multiple=True,
    metavar="NAME",
    shell_complete=one_of(lambda: dict.fromkeys([*(name for names in REPORTS_OF.values() for name in names), "all"])),
    help=f"What to show: {', '.join(STATS_REPORTS)} or all; of a saved replay, its own reports; of MemStats "
    f"{', '.join(MEMSTATS_REPORTS)}; of gctrace {', '.join(GCTRACE_REPORTS)}.",
)
@click.option(
    "--beside", metavar="TRACE", type=FILE, help="Of a gctrace text: lay a replay of TRACE, of the same run, beside it."
)
@click.option("--rss", metavar="SIZE", help="Of MemStats: the resident memory, such as 740MiB.")
@click.option(
    "--smaps", metavar="FILE", type=FILE, help="Of MemStats: /proc/PID/smaps, smaps_rollup or status of the process."
)
@click.option("--cgroup", metavar="FILE", type=FILE, help="Of MemStats: memory.stat of the container.")
@click.option(
    "--go",
    "go_version",
    metavar="VERSION",
    shell_complete=one_of(releases),
    help="Of MemStats: the Go release that the program is built with.",
)
@click.option("--apart", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
              help="Of two MemStats: the time between them.")  # fmt: skip
@gc_option
@gate_options
@partial_option
@output_options
@click.pass_context
def stats(
    ctx: click.Context, /, inputs: tuple[str, ...], reports: tuple[str, ...], beside: str | None, rss: str | None,
    smaps: str | None, cgroup: str | None, go_version: str | None, apart: float | None, gc: int | None,
    rules: tuple[str, ...], baseline: str | None, partial: bool, **options: Any,
) -> int:  # fmt: skip
    """Describe INPUT ("-" or a pipe is the standard input) without replaying it.

    \b
    goalloc stats app.msgpack                           a trace, or a saved replay
    goalloc stats memstats.json --rss 740MiB            MemStats in any form: where is the rest?
    goalloc stats before.prom after.prom                two moments: what changed
    goalloc stats gctrace.log                           lines of GODEBUG=gctrace=1
    goalloc stats before.log after.log                  two such logs side by side

    MemStats are read from prints, JSON, expvar, /debug/pprof/heap?debug=1, Prometheus scrapes and
    runtime/metrics. A replay saved with --format msgpack is shown as it would have been then.
    """
    if not inputs and not is_piped():
        raise click.UsageError(f"name an input, or pipe one in: {READS}")
    gate = Gate("goalloc stats", rules, baseline, options["quiet"])
    refuse_early(options)
    beside_memstats = {"--rss": rss, "--smaps": smaps, "--cgroup": cgroup, "--go": go_version, "--apart": apart}
    if rss is not None:
        beside_memstats["--rss"] = rss = str(size_of(rss))
    from goalloc_cli.host.source import open_source
    from goalloc_cli.report.documents.saved import read_saved, shown

    paths = inputs or ("-",)
    source = open_source(paths[0], partial)  # once: a pipe cannot be opened again
    found = read_saved(source) if len(paths) == 1 else None

    def tell(document: Document) -> int:
        if baseline is not None:
            gate.before = baseline_of(baseline, document["schema"], gate, options["quiet"])
        show(ctx, gate.judge(document), reports, **options)
        return gate.end()

    if found is not None:
        refuse_beside({"--beside": beside, **beside_memstats}, f"{paths[0]}, a saved result")
        refuse_cycles(gc, paths[0])
        refuse_unknown(reports, REPORTS_OF[found["schema"]])
        saved = found
        return shown(paths[0], lambda: tell(saved))
    opened = every(paths, source, partial)
    kinds = {getattr(one, "kind", "trace") for one in opened}
    if kinds != {"memstats"}:
        refuse_beside(beside_memstats, f"{paths[0]}, which holds no MemStats")
    if kinds != {"gctrace"}:
        refuse_beside({"--beside": beside}, f"{paths[0]}, which is no text that GODEBUG=gctrace=1 printed")
    if kinds != {"trace"}:
        refuse_cycles(gc, paths[0])
    if kinds == {"memstats"}:
        refuse_unknown(reports, MEMSTATS_REPORTS)
        return tell(memstats(opened, smaps, cgroup, beside_memstats))
    if len(opened) > 1:
        if kinds != {"gctrace"} or beside is not None or reports or gate:
            close(opened)
            raise click.UsageError(
                "several inputs go together where all hold MemStats, or all lines of gctrace (without --beside, --report, "
                "--fail-on)"
            )
        return tell(side_by_side([one.source for one in opened]))
    if kinds == {"gctrace"}:
        refuse_unknown(reports, GCTRACE_REPORTS)
        return tell(gctrace(opened[0].source, beside, options["quiet"]))
    refuse_unknown(reports, STATS_REPORTS)
    follow = not {"who", "all"}.isdisjoint(reports) or gate.follows("goalloc stats")
    return tell(trace(with_cycles(opened[0], gc), options["quiet"], follow))


def baseline_of(path: str, schema: str, gate: Gate, quiet: bool) -> Document:
    """What changes are changes of: as a document like the one of the input, where a trace is described or was replayed."""
    if schema != "goalloc stats":
        return document_of(path, quiet, gate.follows())
    from goalloc_cli.importers.sniff import open_trace

    return trace(open_trace(path), quiet, gate.follows(schema))


def every(paths: tuple[str, ...], first: Source, partial: bool) -> list[Any]:
    """What is in each input: a Trace, or a Printed text that is still to be read."""
    from goalloc_cli.host.source import open_source
    from goalloc_cli.importers.sniff import trace_or_printed

    opened: list[Trace | Printed] = []
    try:
        for number, path in enumerate(paths):
            opened.append(trace_or_printed(open_source(path, partial) if number else first, partial))
    except BaseException:
        close(opened)
        raise
    return opened


def refuse_unknown(reports: tuple[str, ...], known: tuple[str, ...]) -> None:
    unknown = [name for name in reports if name not in (*known, "all")]
    if unknown:
        there = f"there are {', '.join(known)} and all{meant(unknown[0], known)}"
        raise click.UsageError(f"there is no report {unknown[0]!r} of this; {there}")


def refuse_beside(given: dict[str, Any], what: str) -> None:
    """Refuse options that do not go with an input."""
    wrong = [name for name, value in given.items() if value is not None]
    if wrong:
        raise click.UsageError(f"{wrong[0]} does not go with {what}")


def refuse_cycles(gc: int | None, path: str) -> None:
    if gc is not None:
        raise click.UsageError(f"--gc goes with a trace, which {path} is not")


def trace(opened: Trace, quiet: bool, who: bool = False) -> Document:
    """The document of a trace; with `who`, of who allocated it, too."""
    from goalloc_cli.analyses.describe import describe
    from goalloc_cli.host.progress import progress_line
    from goalloc_cli.report.documents.trace import trace_document

    if not who:
        with progress_line("stats", opened.events, quiet) as progress:
            return trace_document(describe(opened, progress), opened.remarks)
    from goalloc_cli.analyses.who.follow import Followed
    from goalloc_cli.analyses.who.moment import without_replay
    from goalloc_cli.commands.choose import choose_design
    from goalloc_cli.report.documents.who import who_document

    followed = Followed(choose_design(opened.header, None, ())[0])
    with progress_line("stats", opened.events, quiet) as progress:
        found = describe(opened, progress, followed.add)
    end, peak = without_replay(followed, sum(found.events.values()), found.peak_event)
    return trace_document(found, opened.remarks) | {"who": who_document(end, {"peak": peak})}


def is_piped() -> bool:
    """Whether something was piped or redirected into the standard input."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)
