"""goalloc sweep"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from goalloc_cli.commands.designs import designs_of
from goalloc_cli.commands.options import QUIET, color_option, size_of
from goalloc_cli.commands.show import say, show
from goalloc_cli.commands.words import FILE, complete_knobs, complete_releases
from goalloc_cli.errors import MALFORMED, ToldError

if TYPE_CHECKING:
    from goalloc_cli.sweep.cluster import Where
    from goalloc_cli.sweep.driver import Tally
    from goalloc_cli.sweep.plan import Plan
    from goalloc_cli.sweep.store import Store

SETS = "Values of a knob. Repeatable: all combinations."
SHOWN = 5
"""Errors that are told; the others stand in the results."""
FORMATS = ("table", "json", "csv", "markdown")


class SweptError(ToldError):
    """Some traces have no figures."""

    code = MALFORMED


@click.command(short_help="Replay many traces under many designs, on many machines.")
@click.argument("inputs", nargs=-1, metavar="[TRACE|GLOB|URL|@LIST]...")
@click.option("-o", "--output", metavar="DIR", help="The folder of the results; what is there already is not done again.")
@click.option("--summary", metavar="DIR", help="Show what the results in DIR say, and do nothing else.")
@click.option("--go", metavar="VERSION,..", shell_complete=complete_releases, help="Releases; own: each trace's; all.")
@click.option("--set", "sets", metavar="KNOB=A,B", multiple=True, shell_complete=complete_knobs, help=SETS)
@click.option("--size-classes", metavar="FILE", type=FILE, help="Size classes from FILE, a line each: bytes, pages.")
@click.option("--gogc", metavar="N,..|A:B", help="Predict these GOGC, as goalloc pace does.")
@click.option("--memory-limit", "limits", metavar="SIZE,..|A:B", help="And these GOMEMLIMIT.")
@click.option("--designs", "file", metavar="FILE", type=FILE, help="Designs by name, from a TOML file.")
@click.option("--workers", type=click.IntRange(1, 1024), help="Processes of this machine.  [default: one for each core]")
@click.option("--task-memory", metavar="SIZE", help="Memory that each of them may take, such as 3GiB.")
@click.option("--scheduler", metavar="URL", help="The workers of this scheduler of dask's: tls://HOST:8786.")
@click.option("--tls-ca", metavar="FILE", type=FILE, help="Certificate of who signed the scheduler's.")
@click.option("--tls-cert", metavar="FILE", type=FILE, help="Certificate of this client, and")
@click.option("--tls-key", metavar="FILE", type=FILE, help="its key.")
@click.option("--insecure", is_flag=True, help="Talk tcp:// to a scheduler that is not on this machine.")
@click.option("--retry", type=click.Choice(["failed"]), help="Do again what failed. What was lost is always done again.")
@click.option("--lenient", is_flag=True, help="Leave out bad events (goalloc check lists them).")
@click.option("--partial", is_flag=True, help="Take what is whole of inputs that were cut short.")
@click.option("--dry-run", is_flag=True, help="Say how much there is to do, and do nothing.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Print the summary at the end.")
@click.option("-q", "--quiet", **QUIET)
@color_option
@click.pass_context
def sweep(ctx: click.Context, /, inputs: tuple[str, ...], output: str | None, summary: str | None, **options: Any) -> None:
    """Replay every trace under every design; a row of Parquet each.

    \b
    goalloc sweep traces/*.msgpack --go own,1.19,1.24 -o results
    goalloc sweep @fleet.txt --gogc 50,100,200 --memory-limit 256MiB,off -o results
    goalloc sweep 's3://bucket/*.msgpack' --go all --scheduler tls://head:8786 -o results ...
    goalloc sweep --summary results

    The first design is what the others are held against. Needs pip install 'goalloc[sweep]'.
    """
    from goalloc_cli.sweep.extra import need
    from goalloc_cli.sweep.store import Store

    need()
    if summary is not None:
        if inputs or output is not None:
            raise click.UsageError("--summary goes with no trace and no -o: it shows what a sweep left")
        return show_summary(ctx, Store(summary), options["form"] or "table", options["color"])
    if not inputs or output is None:
        raise click.UsageError("name traces, and with -o a folder for the results")
    return run(ctx, inputs, Store(output), options)


def run(ctx: click.Context, inputs: tuple[str, ...], store: Store, options: dict[str, Any]) -> None:
    """Do what is missing in a store."""
    from goalloc_cli.sweep.inputs import listed
    from goalloc_cli.sweep.plan import plan
    from goalloc_cli.sweep.task import LENIENT, PARTIAL

    where = where_of(options)
    names = ("go", "sets", "size_classes", "gogc", "limits", "file")
    wanted = designs_of(*(options[name] for name in names))
    ways = tuple(way for way in (LENIENT, PARTIAL) if options[way])
    store.refuse()
    found = plan(store, listed(inputs), wanted, ways, options["retry"] is not None)
    if options["dry_run"]:
        click.echo(told_of(found))
        return
    store.make()
    store.note_designs([each.name for each in wanted])
    errors = work(found, store, where, ways, options["quiet"]) if found.tasks else {}
    rows = store.merge()
    if not options["quiet"]:
        say(f"{rows:,} rows in {store.results}; goalloc sweep --summary {store.folder}")
    if options["form"]:
        show_summary(ctx, store, options["form"], options["color"])
    if errors or found.failed:
        raise ExceptionGroup("rows without figures", [SweptError(line) for line in told_errors(errors, found.failed)])


def where_of(options: dict[str, Any]) -> Where:
    """Where it runs."""
    from goalloc_cli.sweep.cluster import Where

    found = Where(
        options["workers"] or os.cpu_count() or 1,
        None if options["task_memory"] is None else size_of(options["task_memory"]),
        options["scheduler"],
        options["tls_ca"],
        options["tls_cert"],
        options["tls_key"],
        options["insecure"],
    )
    if found.scheduler is not None and (options["workers"] or options["task_memory"]):
        raise click.UsageError("--workers and --task-memory are of this machine; --scheduler has workers of its own")
    found.refuse()
    return found


def work(found: Plan, store: Store, where: Where, ways: tuple[str, ...], quiet: bool) -> dict[str, int]:
    """Do the tasks; return what went wrong, and with how many rows."""
    from goalloc_cli.host.progress import text_line
    from goalloc_cli.sweep.cluster import cluster
    from goalloc_cli.sweep.driver import Driver

    with text_line("sweep", quiet) as line, cluster(where, store.log) as workers:
        if not workers.workers() and not quiet:
            say(f"{where.scheduler} has no workers yet; the sweep waits for them")
        tell = told_progress(found, line) if line else lambda tally: None
        tally = Driver(workers, store, ways, tell).run(found.tasks)
    return tally.errors


def told_progress(found: Plan, line: Callable[[str], None]) -> Callable[[Tally], None]:
    """What says how far it is."""
    began = time.monotonic()

    def tell(tally: Tally) -> None:
        seconds = max(time.monotonic() - began, 0.001)
        left = round(seconds / tally.tasks * (len(found.tasks) - tally.tasks))
        bad = sum(tally.errors.values())
        failed = f", {bad:,} failed" if bad else ""
        speed = tally.events / seconds / 1e6
        counted = f"{tally.tasks:,} of {len(found.tasks):,} tasks, {tally.replays:,} replays{failed}"
        line(f"sweep  {counted}, {speed:,.1f} M events/s, {left // 60}:{left % 60:02} left")

    return tell


def told_of(found: Plan) -> str:
    """What a dry run says."""
    from goalloc_cli.report.units import iec, plural

    size = f" ({iec(found.bytes)})" if found.bytes else ""
    there = f"{found.done:,} are there" + (f", {found.failed:,} failed" if found.failed else "")
    return (
        f"{plural(found.traces, 'trace')}{size} under {plural(found.designs, 'design')}: {plural(found.rows, 'row')}, "
        f"of which {there}; {found.to_do:,} to do, in {plural(len(found.tasks), 'task')}"
    )


def told_errors(errors: dict[str, int], before: int) -> list[str]:
    """What went wrong, a line each."""
    bad = sum(errors.values()) + before
    lines = [f"{bad:,} rows have no figures; status and error in the results say why"]
    lines += list(errors)[:SHOWN]
    more = len(errors) - SHOWN
    lines += [f"and {more:,} others"] if more > 0 else []
    lines += [f"{before:,} rows failed before; --retry failed does them again"] if before else []
    return lines


def show_summary(ctx: click.Context, store: Store, form: str, color: str | None) -> None:
    """Print what the results say."""
    from goalloc_cli.sweep.summary import summarized

    store.need()
    show(ctx, summarized(store), (), form, None, False, True, color)
