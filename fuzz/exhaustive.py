"""Every cut, every byte changed (in fourteen ways, or to all its 255 others), splices and numbers, on the compiled readers.

Their kernels are compiled with NUMBA_BOUNDSCHECK=1, so that an index out of range is an error. Each reader runs in a process
of its own, so that a crash is seen and the others go on: python -m fuzz.exhaustive READER.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fuzz import mutations
from fuzz.counts import HOME, ROOT, add_count
from fuzz.seeds import SEEDS
from fuzz.targets import TARGETS, outcome, replayed, saved_resealed

SPLICES, NUMBERS = 2000, 20_000
HOLD_TRACES = frozenset(SEEDS) - {"gctrace", "memstats", "heapprofile", "saved"}
"""What these readers take is replayed as well."""
WAYS = ("cut short", "a byte changed", "huge or deep", "spliced", "numbers")


def tried(number: int, seed: bytes, found: list[bytes], every_byte: bool) -> Iterator[tuple[str, Iterable[bytes]]]:
    """All that is done to the seed of this number, by the name of the way; numbers also change what atheris found."""
    values = range(256) if every_byte else mutations.NEAR
    huge, spliced = mutations.insertions(seed), mutations.splices(seed, SPLICES)
    numbers = mutations.numbers(found, NUMBERS, number)
    return zip(WAYS, (mutations.cuts(seed), mutations.changes(seed, values), huge, spliced, numbers), strict=True)


def run(readers: list[str], jobs: int, every_byte: bool) -> int:
    """Try everything on the readers, `jobs` at a time; return how many of them broke."""
    with ThreadPoolExecutor(jobs) as pool:
        return sum(pool.map(lambda reader: one_process(reader, every_byte), readers))


def one_process(reader: str, every_byte: bool) -> int:
    command = [sys.executable, "-m", "fuzz.exhaustive", reader, *(["every byte"] if every_byte else [])]
    environ = {**os.environ, "NUMBA_BOUNDSCHECK": "1"}
    ran = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    print(ran.stdout, end="", flush=True)
    if ran.returncode:
        print(f"{reader}: exit code {ran.returncode}", ran.stderr[-4000:], sep="\n", flush=True)
    return int(bool(ran.returncode))


def main(reader: str, every_byte: bool) -> int:
    broken: set[str] = set()
    slowest, largest = 0.0, 0
    counted, played = dict.fromkeys(WAYS, 0), 0
    began = time.monotonic()
    target = saved_resealed if reader == "saved" else TARGETS[reader]
    found = [path.read_bytes() for path in sorted((HOME / "corpus" / reader).glob("*"))]
    for number, seed in enumerate(SEEDS[reader]()):
        assert isinstance(outcome(target, seed), int)  # and it is compiled
        for way, mutated in tried(number, seed, [seed, *found], every_byte):
            for data in mutated:
                counted[way] += 1
                started = time.monotonic()
                before = most_mib(anew=True)
                try:
                    if isinstance(outcome(target, data), int) and reader in HOLD_TRACES:
                        played += isinstance(outcome(replayed, data), int)
                except Exception:
                    where = traceback.format_exc()
                    if where not in broken:
                        broken.add(where)
                        kept = HOME / "broken" / reader / f"mutated-{len(broken)}"
                        kept.parent.mkdir(parents=True, exist_ok=True)
                        kept.write_bytes(data)
                        print(f"{reader}: {kept}\n{where}", flush=True)
                slowest, largest = max(slowest, time.monotonic() - started), max(largest, most_mib() - before)
    took = time.monotonic() - began
    inputs = sum(counted.values())
    add_count(
        "mutated", reader, tried=inputs, broken=len(broken), seconds=round(took), ways=counted, replayed=played
    )
    print(f"{reader}: {inputs:,} inputs in {took:.0f} s; {len(broken)} broke it", end="; ")
    print(f"{played:,} were replayed; the slowest took {slowest:.2f} s, the largest {largest} MiB")
    return int(bool(broken))


def most_mib(anew: bool = False) -> int:
    """Most memory that this process has had; from now on, if `anew` (Linux, else 0)."""
    if sys.platform != "linux":
        return 0
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) >> 10


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], len(sys.argv) > 2))
