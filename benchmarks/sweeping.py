"""What dask costs a sweep: tasks that do nothing, through driver, scheduler and workers, into Parquet.

    python -m benchmarks.sweeping              # 50,000 tasks: some minutes
    python -m benchmarks.sweeping 2000
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from goalloc_cli.sweep.cluster import Cluster, Where, cluster
from goalloc_cli.sweep.columns import OK, RESULTS
from goalloc_cli.sweep.driver import Driver, Tally
from goalloc_cli.sweep.inputs import Input
from goalloc_cli.sweep.plan import Task
from goalloc_cli.sweep.store import Store
from goalloc_cli.sweep.versions import versions
from goalloc_cli.sweep.wanted import Wanted

TASKS, WORKERS = 50_000, 2
MIB = 1 << 20


def nothing(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Tasks whose replays take no time: a row as long as any for each."""
    row = {name: number for number, (name, kind) in enumerate(RESULTS.items()) if kind == "int64"}
    named = [{"key": name, "trace": name, "slot": name} for name in (message["name"] for message in messages)]
    return {
        "versions": versions(),
        "rows": [[{**row, **each, "status": OK, "design": "own", "task_seconds": 0.0}] for each in named],
    }


def resident() -> int:
    """Bytes that this process has resident now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def main(count: int) -> None:
    tasks = [Task(Input(f"t{number}", f"/t{number}", 1, "1"), (Wanted("own"),)) for number in range(count)]
    memory: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        began = time.monotonic()
        with cluster(Where(WORKERS), store.log) as workers:
            started = time.monotonic() - began
            workers = Cluster(workers.client, nothing)

            def tell(tally: Tally) -> None:
                if tally.tasks % (count // 10) == 0:
                    memory.append(resident())
                    print(f"{tally.tasks:,} tasks, {time.monotonic() - began:.0f} s, {memory[-1] / MIB:.1f} MiB", flush=True)

            began, processor = time.monotonic(), time.process_time()
            tally = Driver(workers, store, (), tell).run(tasks)
            seconds, processor = time.monotonic() - began, time.process_time() - processor
        began = time.monotonic()
        rows = store.merge()
        print(f"{rows:,} rows merged in {time.monotonic() - began:.1f} s")
    print(f"start {started:.1f} s; a task {1000 * seconds / count:.2f} ms by the clock, of which driver and scheduler")
    print(f"{1000 * processor / count:.2f} ms of a processor; {WORKERS} workers, at most {tally.most_under_way} under way;")
    print(f"memory of driver and scheduler {min(memory) / MIB:.1f} to {max(memory) / MIB:.1f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else TASKS)
