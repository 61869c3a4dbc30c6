"""What all rows share: the options of the run, and the traces, each made once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import measure
from goalloc_cli.synth.make import synthesize
from goalloc_cli.trace.event import Batch
from goalloc_cli.trace.trace import Header, Trace

LIVE = 200_000
PROCS = 4
SEED = 1
WORKLOAD = "generational"
"""The workload of all rows that do not name one."""


@dataclass
class Bench:
    """One run of the benchmarks."""

    folder: Path
    """For traces and whatever else is made; removed at the end."""
    quick: bool = False
    """A tenth of the events, and fewer runs."""
    long: bool = False
    recording: str | None = None
    realgo: bool = False
    """Install a Go toolchain if there is none."""
    memory: dict[str, list[Batch]] = field(default_factory=dict)

    @property
    def runs(self) -> int:
        return 2 if self.quick else 5

    def events(self, count: int) -> int:
        """So many events, or a tenth of them where it has to be quick."""
        return count // 10 if self.quick else count

    def file(self, count: int, workload: str = WORKLOAD, live: int = LIVE) -> str:
        """The path of a trace of so many events."""
        path = self.folder / f"{workload}-{count}-{live}.msgpack"
        if not path.exists():
            sizes = ("--events", str(count), "--live", str(live), "--procs", str(PROCS), "--seed", str(SEED))
            measure.goalloc("synth", workload, *sizes, "-o", str(path), "-q")
        return str(path)

    def in_memory(self, workload: str = WORKLOAD) -> Trace:
        """20 million events, all of them in memory; can be asked for again and again."""
        if workload not in self.memory:
            self.memory.clear()  # one at a time
            made = synthesize(workload, self.events(20_000_000), SEED, {"live": LIVE, "procs": PROCS})
            self.memory[workload] = list(made.batches)
        batches = self.memory[workload]
        return Trace(workload, Header(gomaxprocs=PROCS), iter(batches), events=sum(map(len, batches)))
