"""Makes the trace of a workload, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from goalloc_cli.host.late import late
from goalloc_cli.synth.catalogue import BY_NAME, COMMON
from goalloc_cli.synth.mix import Shape, set_shapes, types_of
from goalloc_cli.synth.plan import Plan
from goalloc_cli.synth.world import handles, new_world
from goalloc_cli.trace.event import BATCH, COLUMNS, Batch, Call, Function, Owner
from goalloc_cli.trace.trace import Header, Trace


def synthesize(
    name: str,
    events: int,
    seed: int = 1,
    parameters: Mapping[str, int] | None = None,
    sizes: tuple[Shape, ...] | None = None,
) -> Trace:
    """A trace of exactly `events` events; the same arguments make the same trace.

    Args:
        name: a workload of the catalogue.
        parameters: those that are not to have their default.
        sizes: what to allocate in place of the workload's own objects.
    """
    workload = BY_NAME[name]
    values = {p.name: p.default for p in (*workload.parameters, *COMMON)} | dict(parameters or {})
    procs, gogc, owners = values.pop("procs"), values.pop("gogc"), values.pop("owners")
    make_plan: Callable[..., Plan] = late(f"synth.{name}:plan")
    plan = make_plan(**values, **({"mix": sizes} if sizes else {}))
    told = {"workload": name, "seed": seed, "gogc": gogc, **values, **({"owners": owners} if owners else {})}
    header = Header(gomaxprocs=procs, owners=owners > 0, extra={"synth": told})
    world = new_world(name, seed, procs, gogc, owners)
    return Trace(f"synth {name}", header, _batches(plan, world, events), events=events)


def owners_of(count: int) -> dict[str, Any]:
    """Kinds of goroutines, as a batch brings them: main.worker1, ... which main.main made; every other works in a task."""
    if not count:
        return {}
    names = ["main.main", *(f"main.worker{number}" for number in range(1, count + 1))]
    tasks = [("request", f"step{number}") if number % 2 else ("", "") for number in range(count)]
    return {
        "new_functions": [Function(name, "main.go") for name in names],
        "new_calls": [Call(1, line, 0) for line in range(1, count + 1)],
        "new_owners": [Owner(2 + number, 1 + number, *tasks[number], 0) for number in range(count)],
    }


def _batches(plan: Plan, world: np.record, events: int) -> Iterator[Batch]:
    set_shapes(world, plan.shapes)
    objects = handles(plan.most_objects)
    columns = {name: world[f"out_{name}"] for name in COLUMNS if name != "addr"}
    types, names, who = types_of(plan.shapes), list(plan.names), owners_of(int(world.owners))
    for start in range(0, events, BATCH):
        plan.kernel(world, objects, *plan.state)
        made = min(BATCH, events - start)
        copied = {name: column[:made].copy() for name, column in columns.items()}
        yield Batch(**copied, new_types=types, new_names=names, **who)
        types, names, who = [], [], {}
        left = int(world.n) - BATCH
        for column in columns.values():
            column[:left] = column[BATCH : BATCH + left]
        world.n = left
        world.before += BATCH
