"""Makes the trace of a workload, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module

import numpy as np

from goalloc_cli.synth.catalogue import BY_NAME, COMMON
from goalloc_cli.synth.mix import Shape, set_shapes, types_of
from goalloc_cli.synth.plan import Plan
from goalloc_cli.synth.world import handles, new_world
from goalloc_cli.trace.event import BATCH, COLUMNS, Batch
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
    procs, gogc = values.pop("procs"), values.pop("gogc")
    make_plan: Callable[..., Plan] = import_module(f"goalloc_cli.synth.{name}").plan
    plan = make_plan(**values, **({"mix": sizes} if sizes else {}))
    header = Header(gomaxprocs=procs, extra={"synth": {"workload": name, "seed": seed, "gogc": gogc, **values}})
    world = new_world(name, seed, procs, gogc)
    return Trace(f"synth {name}", header, _batches(plan, world, events), events=events)


def _batches(plan: Plan, world: np.record, events: int) -> Iterator[Batch]:
    set_shapes(world, plan.shapes)
    objects = handles(plan.most_objects)
    columns = {name: world[f"out_{name}"] for name in COLUMNS if name != "addr"}
    types, names = types_of(plan.shapes), list(plan.names)
    for start in range(0, events, BATCH):
        plan.kernel(world, objects, *plan.state)
        made = min(BATCH, events - start)
        yield Batch(**{name: column[:made].copy() for name, column in columns.items()}, new_types=types, new_names=names)
        types, names = [], []
        left = int(world.n) - BATCH
        for column in columns.values():
            column[:left] = column[BATCH : BATCH + left]
        world.n = left
        world.before += BATCH
