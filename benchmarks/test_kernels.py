"""A few kernels and codecs alone, on one batch: `pytest benchmarks/test_kernels.py` (needs pytest-benchmark)."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from goalloc_cli.analyses.replay import Run
from goalloc_cli.design.releases import release
from goalloc_cli.native.native import read_native, write_native
from goalloc_cli.synth.catalogue import WORKLOADS
from goalloc_cli.synth.make import synthesize
from goalloc_cli.trace.event import BATCH, Batch
from goalloc_cli.trace.ranges import RangeCheck
from goalloc_cli.trace.trace import Header, Trace

pytest.importorskip("pytest_benchmark")

STEADY = {"live": 10_000, "procs": 4}


@pytest.fixture(scope="module")
def batches() -> list[Batch]:
    return list(synthesize("steady", 64 * BATCH, parameters=STEADY).batches)


def test_replay_of_a_batch(benchmark: Any, batches: list[Batch]) -> None:
    """Each round goes on where the last one stopped; a new heap begins when the trace is through."""
    trace = Trace("steady", Header(gomaxprocs=4), iter(()))
    state: dict[str, Any] = {"at": len(batches)}

    def feed() -> None:
        if state["at"] == len(batches):
            state["run"], state["at"] = Run(trace, release("1.27"), False, "gc", False), 0
        state["run"].feed(batches[state["at"]])
        state["at"] += 1

    benchmark(feed)


@pytest.mark.parametrize("workload", [workload.name for workload in WORKLOADS])
def test_synthesis_of_a_batch(benchmark: Any, workload: str) -> None:
    made = synthesize(workload, 10**12)
    benchmark(lambda: next(made.batches))


def test_range_check_of_a_batch(benchmark: Any, batches: list[Batch]) -> None:
    check = RangeCheck(4)
    check.check(batches[0], "")
    benchmark(lambda: check.check(batches[1], ""))


@pytest.mark.parametrize("codec", ["zstd", "none"])
def test_writing_a_batch(benchmark: Any, batches: list[Batch], codec: str) -> None:
    benchmark(lambda: write_native(Header(gomaxprocs=4), batches[:1], io.BytesIO(), codec))


@pytest.mark.parametrize("codec", ["zstd", "none"])
def test_reading_a_batch(benchmark: Any, batches: list[Batch], codec: str) -> None:
    file = io.BytesIO()
    write_native(Header(gomaxprocs=4), batches[:1], file, codec)

    def read() -> int:
        file.seek(0)
        return sum(int(np.count_nonzero(batch.kind)) for batch in read_native(file, "batch").batches)

    benchmark(read)
