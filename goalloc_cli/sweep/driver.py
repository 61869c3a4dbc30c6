"""The driver: it keeps a few tasks a worker under way, takes in what comes of them, and alone writes it down."""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from goalloc_cli.host import ending
from goalloc_cli.sweep.cluster import KILLED, Cluster
from goalloc_cli.sweep.columns import FAILED, KNOWN, LOST, OK, Row
from goalloc_cli.sweep.keys import digest, pair_of, slot_of
from goalloc_cli.sweep.plan import Task
from goalloc_cli.sweep.row import VERSIONS
from goalloc_cli.sweep.store import Store

WINDOW = 3
"""Messages under way for each worker: a scheduler takes 11 KiB for each that it knows."""
LIGHT_EVENTS, MOST_TOGETHER = 2_000_000, 8
"""A message holds more than one task where all of them are some tenths of a second of work: Dask takes some six milliseconds
for each message, however light it is."""
FLUSH_SECONDS, FLUSH_ROWS = 10.0, 10_000
"""Rows wait no longer, and no more of them, before they are written: each takes some 8 KB until then."""
MOST_SUSPECTS = 100
"""Tasks whose workers died that are done again, each alone: another task on its worker may have been to blame."""
LOOK_SECONDS = 5.0
"""Between two looks at how many workers there are."""


@dataclass
class Tally:
    """How far it is."""

    tasks: int = 0
    """Of all that there are, those that are done."""
    replays: int = 0
    events: int = 0
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys((OK, FAILED, LOST, KNOWN), 0))
    task_seconds: float = 0.0
    most_under_way: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    """What went wrong, and with how many rows."""

    def take(self, rows: list[Row]) -> None:
        """Count the rows of a task."""
        self.tasks += 1
        self.task_seconds += max((row.get("task_seconds") or 0.0 for row in rows), default=0.0)
        for row in rows:
            self.rows[row["status"]] += 1
            if row["status"] == OK:
                self.replays += 1
                self.events += row.get("events") or 0
            elif row["status"] != KNOWN:
                self.errors[row["error"]] = self.errors.get(row["error"], 0) + 1


class Driver:
    """One sweep under way."""

    def __init__(
        self, cluster: Cluster, store: Store, ways: tuple[str, ...], tell: Callable[[Tally], None] = lambda tally: None
    ) -> None:
        self.cluster = cluster
        self.store = store
        self.ways = ways
        self.tell = tell
        self.tally = Tally()
        self.rows: list[Row] = []
        """Those that are not written yet."""
        self.written = time.monotonic()
        self.under_way: dict[str, list[Task]] = {}
        """The tasks of each message."""
        self.suspects: deque[Task] = deque()
        self.suspected = 0
        self.is_ending = False

    def run(self, tasks: Sequence[Task]) -> Tally:
        """Do all tasks. A signal ends it: what is done is kept.

        Raises:
            OSError: the store cannot be written.
            ClusterError, LostClusterError: as `cluster` tells.
        """
        waiting = deque(tasks)
        with ending.taken_by(self.asked_to_end):
            try:
                self.loop(waiting)
            finally:
                self.flush()
        return self.tally

    def loop(self, waiting: deque[Task]) -> None:
        looked = -LOOK_SECONDS
        window = WINDOW
        while waiting or self.under_way or self.suspects:
            if time.monotonic() - looked >= LOOK_SECONDS:
                window, looked = WINDOW * max(self.cluster.workers(), 1), time.monotonic()
            while waiting and len(self.under_way) < window:
                self.send(light(waiting, window))
            if self.suspects and not self.under_way:
                self.send([self.suspects.popleft()])
            try:
                future = self.cluster.done.get(timeout=min(LOOK_SECONDS, max(self.due(), 0.01)))
            except queue.Empty:
                self.flush_if_due()
                continue
            if future is None:
                self.flush()
                ending.end()
            self.take(future)
            self.flush_if_due()

    def asked_to_end(self, _number: int) -> None:
        """A signal came, in another thread. A second one does not wait for what has come to be written."""
        if self.is_ending:
            ending.end()
        self.is_ending = True
        self.cluster.done.put(None)

    def send(self, tasks: list[Task]) -> None:
        self.under_way[self.cluster.send([task.message(self.ways) for task in tasks])] = tasks
        self.tally.most_under_way = max(self.tally.most_under_way, len(self.under_way))

    def take(self, future: Any) -> None:
        """Take in what came of a message."""
        name, found = self.cluster.take(future)
        tasks = self.under_way.pop(name)
        if "rows" in found:
            for rows in found["rows"]:
                self.keep(rows)
            return
        for task in tasks:
            # Of several it was one, or another task on that worker.
            to_blame = len(tasks) == 1 and found["error_kind"] != KILLED
            if to_blame or not self.is_suspect(task):
                self.keep([self.lost(task, number, found) for number in range(len(task.wanted))])

    def keep(self, rows: list[Row]) -> None:
        """Count the rows of a task; they are to be written."""
        self.tally.take(rows)
        now = time.time()
        self.rows += [{**row, "done_at": now} for row in rows]
        self.tell(self.tally)

    def is_suspect(self, task: Task) -> bool:
        """Whether a task whose workers died is to be done again, when no other is under way."""
        if task.alone or self.suspected >= MOST_SUSPECTS:
            return False
        self.suspected += 1
        self.suspects.append(replace(task, alone=True))
        return True

    def lost(self, task: Task, number: int, status: Row) -> Row:
        """The row of a design whose task was lost."""
        wanted, trace = task.wanted[number], task.trace
        return {
            **VERSIONS,
            **status,
            "key": digest("lost", trace.place, wanted.plain()),
            "trace": trace.name,
            "trace_bytes": trace.size,
            "design": wanted.name,
            "slot": slot_of(trace.place, wanted.name),
            "pair": pair_of(trace.place, trace.tag or "", wanted, self.ways),
        }

    def due(self) -> float:
        """Seconds until rows have to be written."""
        return FLUSH_SECONDS - (time.monotonic() - self.written) if self.rows else LOOK_SECONDS

    def flush_if_due(self) -> None:
        if len(self.rows) >= FLUSH_ROWS or self.due() <= 0:
            self.flush()

    def flush(self) -> None:
        """Write what has come; rows of replays that were there already get the figures that are."""
        self.written = time.monotonic()
        if not self.rows:
            return
        rows, known = self.rows, {row["key"] for row in self.rows if row["status"] == KNOWN}
        if known:
            there = self.store.rows_of(known)
            rows = [
                {**there[row["key"]], **row, "status": OK} if row["status"] == KNOWN else row
                for row in rows
                if row["status"] != KNOWN or row["key"] in there
            ]
        self.store.add(rows)
        self.rows = []


def light(waiting: deque[Task], window: int) -> list[Task]:
    """The next task, and those after it that are so light that they go with it; when few are left, each goes by itself."""
    found = [waiting.popleft()]
    room = LIGHT_EVENTS - weight(found[0])
    most = min(MOST_TOGETHER, 1 + len(waiting) // window)
    while waiting and len(found) < most and (room := room - weight(waiting[0])) >= 0:
        found.append(waiting.popleft())
    return found


def weight(task: Task) -> int:
    """Events that a task is taken for."""
    return LIGHT_EVENTS if task.events is None else task.events
