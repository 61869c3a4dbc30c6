"""goalloc synth"""

from __future__ import annotations

from typing import Any

import click

from goalloc_cli.commands.options import OUTPUT, QUIET, refuse_early
from goalloc_cli.commands.show import say
from goalloc_cli.report.units import plural
from goalloc_cli.synth.catalogue import COMMON, WORKLOADS, Parameter, Workload

UNITS = {"k": 10**3, "M": 10**6, "G": 10**9}
MOST_EVENTS = 10**12


def count(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """A number of events: 20000000, 20_000_000 or 20M."""
    digits = value[:-1] if value[-1:] in UNITS else value
    if not digits.isascii() or not digits.replace("_", "").isdecimal():
        raise click.BadParameter(f"{value!r} is no number of events; write 20000000 or 20M", ctx, param)
    events = int(digits.replace("_", "")) * UNITS.get(value[-1:], 1)
    if not 1 <= events <= MOST_EVENTS:
        raise click.BadParameter(f"{value!r}: it can be 1 to {MOST_EVENTS // 10**9:,}G events", ctx, param)
    return events


def flag(parameter: Parameter) -> str:
    return f"--{parameter.name.replace('_', '-')}"


def show_list(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Describe every workload, then end."""
    if not wanted:
        return
    width = max(len(flag(p)) for w in WORKLOADS for p in w.parameters) + 2
    for workload in WORKLOADS:
        click.echo(f"{workload.name:14}{workload.summary}")
        for parameter in workload.parameters:
            click.echo(f"{'':14}{flag(parameter):{width}}{parameter.default:>8,}  {parameter.help}")
        if workload.takes_sizes:
            click.echo(f"{'':14}{'--sizes':{width}}{'FILE':>8}  Sizes of a real trace in place of its own.")
    click.echo(f"{'all':14}{flag(COMMON[0]):{width}}{COMMON[0].default:>8,}  {COMMON[0].help}")
    for parameter in COMMON[1:]:
        click.echo(f"{'':14}{flag(parameter):{width}}{parameter.default:>8,}  {parameter.help}")
    ctx.exit()


@click.group(short_help="Make a trace of a synthetic workload.")
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=show_list, help="Describe all workloads.")
def synth() -> None:
    """Make a trace of a synthetic workload. The same seed and parameters always make the same trace.

    \b
    goalloc synth --list
    goalloc synth lru --events 20M --seed 7 -o lru.msgpack
    goalloc synth steady --events 1M -o - | goalloc replay -
    """


def command(workload: Workload) -> click.Command:
    """The command that makes a trace of one workload, with an option for each of its parameters."""

    def make(**options: Any) -> None:
        write(workload, **options)

    made = click.Command(
        workload.name, callback=make, short_help=workload.summary.split(";")[0].rstrip("."), help=workload.summary
    )
    made.params = [
        click.Option(["--events"], callback=count, required=True, metavar="N", help="Events to make: 20000000 or 20M."),
        click.Option(["--seed"], type=int, default=1, show_default=True, help="Another seed, another run of the workload."),
        click.Option(["-o", "--output"], required=True, help='The trace; "-" is the standard output.', **OUTPUT),
        *(option(parameter) for parameter in (*workload.parameters, *COMMON)),
        click.Option(["--force"], is_flag=True, help="Replace an existing FILE."),
        click.Option(["-q", "--quiet"], **QUIET),
    ]
    if workload.takes_sizes:
        told = "Allocate sizes as often as a real trace did: what `goalloc stats TRACE --format json` printed."
        made.params.append(click.Option(["--sizes"], metavar="FILE", help=told))
    return made


def option(parameter: Parameter) -> click.Option:
    kind = click.IntRange(parameter.least, parameter.most)
    return click.Option([flag(parameter)], type=kind, default=parameter.default, show_default=True, help=parameter.help)


for _workload in WORKLOADS:
    synth.add_command(command(_workload))


def write(
    workload: Workload,
    events: int,
    seed: int,
    output: str,
    force: bool,
    quiet: bool,
    sizes: str | None = None,
    **parameters: int,
) -> None:
    """Make the trace, batch by batch, as it is written."""
    refuse_early({"output": output, "force": force, "form": "msgpack"})
    from goalloc_cli.host.progress import progress_line, ticking
    from goalloc_cli.host.sink import write_file
    from goalloc_cli.native.native import write_native
    from goalloc_cli.synth.make import synthesize
    from goalloc_cli.synth.mix import read_sizes

    trace = synthesize(workload.name, events, seed, parameters, read_sizes(sizes) if sizes else None)
    with progress_line("synth", events, quiet) as tick:
        write_file(output, force, lambda file: write_native(trace.header, ticking(trace.batches, tick), file))
    if not quiet:
        say(f"{output}: {plural(events, 'event')}")
