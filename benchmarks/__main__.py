"""`python -m benchmarks [--quick] [--long] [--realgo] [--recording FILE] [--json FILE] [ROW...]`"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from benchmarks import commands, mallocs, recordings, replays
from benchmarks.bench import Bench
from benchmarks.measure import PULSE
from benchmarks.result import Result, skipped, table

ROWS: dict[str, Callable[[Bench], list[Result]]] = {
    "replay": replays.in_memory,
    "go": replays.against_go,
    "malloc": mallocs.against_malloc,
    "command": commands.whole_command,
    "memory": commands.peak_memory,
    "length": commands.cost_by_length,
    "live": commands.state_of_live_objects,
    "import": commands.import_recording,
    "recording": recordings.imported,
    "verify": recordings.verified,
    "first": recordings.first_runs,
    "start": commands.start_up,
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measures goalloc. Nothing is asserted.", allow_abbrev=False
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"what to measure: {', '.join(ROWS)}; all of it by default")
    parser.add_argument("--quick", action="store_true", help="a tenth of the events, fewer runs, no targets for their time")
    parser.add_argument("--long", action="store_true", help="go to 1,000 M events: minutes, and 3 GB of disk")
    parser.add_argument("--realgo", action="store_true", help="install a Go toolchain for this run if there is none")
    parser.add_argument("--recording", metavar="FILE", help="an execution trace to import")
    parser.add_argument("--json", metavar="FILE", help="write everything that was measured")
    found = parser.parse_args()
    if unknown := [row for row in found.rows if row not in ROWS]:
        parser.error(f"there is no row {unknown[0]!r}; there are {', '.join(ROWS)}")
    return found


def machine() -> dict[str, str]:
    """What a figure is worth nothing without."""
    cpu = Path("/proc/cpuinfo")
    names = (
        [line.split(":")[1].strip() for line in cpu.read_text().splitlines() if "model name" in line] if cpu.exists() else []
    )
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "msgpack", "zstandard"))
    return {
        "machine": f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, {platform.system()}",
        "versions": f"Python {platform.python_version()}, {packages}",
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def main() -> None:
    args = arguments()
    about = machine()
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="goalloc-benchmarks-") as folder:
        bench = Bench(Path(folder), args.quick, args.long, args.recording, args.realgo)
        for name in args.rows or ROWS:
            started = time.monotonic()
            try:
                results += ROWS[name](bench)
            except KeyboardInterrupt:
                break  # and show what there is
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                results.append(skipped(name, f"failed: {error}"))
            print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    about["noise"] = str(PULSE)
    about["load after"] = f"{os.getloadavg()[0]:.2f}"
    about["command"] = " ".join(["python -m benchmarks", *sys.argv[1:]])
    print(table(results))
    print("\n" + "\n".join(f"- {key}: {value}" for key, value in about.items()))
    if args.json:
        found = {"schema": "goalloc benchmarks", "schema_version": 1, **about, "rows": [r.document() for r in results]}
        Path(args.json).write_text(json.dumps(found, indent=2) + "\n")


main()
