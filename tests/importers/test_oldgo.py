"""Reality: where real Go 1.10 to 1.27 put every object, against where the model does, never set right on the way."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from goalloc_cli.analyses.replay import Run
from goalloc_cli.analyses.verify.verify import verify
from goalloc_cli.design.releases import release
from goalloc_cli.errors import TraceError
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.trace.event import KIND_MASK, Batch, Kind
from tests.conftest import Go
from tests.kit.root import DATA

LOGS = sorted((DATA / "oldgo").glob("*.zst"))


def exact(path: Path) -> tuple[int, int]:
    """How many objects of an address log are where they were, and how many there are."""
    trace = open_trace(path)
    design = replace(release(trace.header.go_version), **dict(trace.header.knobs))
    run = Run(trace, design, placed=True, every="gc", check=False)
    right = objects = 0
    for batch in trace.batches:
        for part in up_to_each_object(batch):
            run.feed(part)
            if part.kind[-1] & KIND_MASK == Kind.ALLOC:
                objects += 1
                right += slot_address(run, int(part.id[-1])) == part.addr[-1]
    return right, objects


def up_to_each_object(batch: Batch) -> list[Batch]:
    """The batch, cut after each allocation."""
    cuts = [0, *(np.flatnonzero(batch.kind & KIND_MASK == Kind.ALLOC) + 1).tolist(), len(batch)]
    columns = ("kind", "p", "id", "size", "arg", "addr")
    return [
        Batch(**{name: getattr(batch, name)[start:end] for name in columns}) for start, end in pairwise(cuts) if start < end
    ]


def slot_address(run: Run, handle: int) -> int:
    """Where the slot of an object begins."""
    loc = int(run.tables.objects[handle]["loc"])
    span = run.heap.spans[loc >> 16]
    return int(span["start_addr"]) + (loc & 0xFFFF) * int(span["elem_size"])


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name.partition(".jsonl")[0])
def test_every_object_is_where_real_go_put_it(path: Path) -> None:
    right, objects = exact(path)
    assert objects > 1000
    assert right == objects


def test_every_kind_of_run_is_there() -> None:
    assert len(LOGS) == 21


def test_verify_scores_an_address_log() -> None:
    trace = open_trace(LOGS[0])
    design = replace(release(trace.header.go_version), **dict(trace.header.knobs))
    rows = verify(trace, design, design_name="").rows
    assert rows["free_running"].percent == 100
    assert {name for name, row in rows.items() if row.total} == {"integrity", "free_running"}


def test_the_program_logs_what_can_be_read_and_is_exact(go: Go, tmp_path: Path) -> None:
    script = LOGS[0].parents[3] / "traces" / "programs" / "addrlog" / "run.sh"
    subprocess.run([script, tmp_path, "mid", "full", "4", "3", "800"], env=go.environ(), check=True, capture_output=True)
    (log,) = tmp_path.iterdir()
    right, objects = exact(log)
    assert (right, objects) == (2400, 2400)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"go":"go1.9","first_free":"0x0"}\n', "not modelled"),
        ('{"go":"go1.12.9","first_free":"0xc000002000"}\n', "line 1"),
    ],
)
def test_a_damaged_log_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "log").write_text(text)
    with pytest.raises(TraceError, match=problem):
        list(open_trace(tmp_path / "log").batches)
