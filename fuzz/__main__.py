"""python -m fuzz: lets atheris look for inputs that break a reader.

    python -m fuzz --seconds 60                all readers, a minute each, two at a time; then events and states that lie
    python -m fuzz --seconds 600 events        traces whose events lie (fuzz/lies.py), longer
    python -m fuzz --seconds 600 exectrace     one of them, longer
    python -m fuzz --mutations                 all that the tests try, and more of it, on the compiled readers; and lies, all
                                               of it with checks of every index
    python -m fuzz --table                     docs/robustness.md from the counts of all runs so far

What a run found worth keeping stays in .fuzz/, and so do its counts, until the table keeps them in fuzz/counts.jsonl. An
input that breaks a reader is kept there as well, and named; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from fuzz.counts import HOME, LIES, ROOT, add_count
from fuzz.seeds import SEEDS

MOST_BYTES = 4096
TIMEOUT_SECONDS = 20
"""No small input takes a reader a tenth of that, even as plain Python."""
MOST_MIB = 2048


def main() -> int:
    parser = argparse.ArgumentParser("python -m fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("readers", nargs="*", metavar="READER", help=", ".join([*SEEDS, *LIES]))
    parser.add_argument("--seconds", type=int, default=60, help="for each reader")
    parser.add_argument("--jobs", type=int, default=2, help="readers at a time")
    parser.add_argument("--mutations", action="store_true")
    parser.add_argument("--every-byte", action="store_true", help="with --mutations: to all of its 255 others (an hour)")
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    if unknown := set(asked.readers) - {*SEEDS, *LIES}:
        parser.error(f"there is no reader {unknown.pop()!r}")
    readers = [reader for reader in SEEDS if reader in asked.readers or not asked.readers]
    lies = [kind for kind in LIES if kind in asked.readers or not asked.readers]
    if asked.table:
        from fuzz.table import write

        return write()
    if asked.mutations:
        from fuzz.exhaustive import run

        broken = run(readers, asked.jobs, asked.every_byte)
        return 1 if broken + sum(lied(kind, asked.seconds, {"NUMBA_BOUNDSCHECK": "1"}) for kind in lies) else 0
    with ThreadPoolExecutor(asked.jobs) as pool:
        broken = sum(pool.map(lambda reader: fuzzed(reader, asked.seconds), readers))
        broken += sum(pool.map(lambda kind: lied(kind, asked.seconds, {}), lies))
    return 1 if broken else 0


def lied(kind: str, seconds: int, environ: dict[str, str]) -> int:
    """Try inputs that lie, in a process of its own, which compiles first; return 1 where any broke."""
    command = [sys.executable, "-m", "fuzz.forked", kind, "--seconds", str(seconds)]
    return int(bool(subprocess.run(command, env={**os.environ, **environ}, cwd=ROOT, check=False).returncode))


def fuzzed(reader: str, seconds: int) -> int:
    """Fuzz one reader; say what came of it. Return how many inputs broke it."""
    folder = HOME / "corpus" / reader
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[reader]()):
        (folder / f"seed-{number}").write_bytes(seed)
    found = HOME / "broken" / reader
    found.mkdir(parents=True, exist_ok=True)
    before = set(found.iterdir())
    began = time.monotonic()
    ran = subprocess.run(
        [
            sys.executable, "-m", "fuzz.child", reader, str(folder), f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}",
            f"-timeout={TIMEOUT_SECONDS}", f"-rss_limit_mb={MOST_MIB}", f"-artifact_prefix={found}/", "-print_final_stats=1",
        ],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONWARNINGS": "ignore"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )  # fmt: skip
    told = re.search(r"stat::number_of_executed_units:\s*(\d+)", ran.stderr)
    tried = int(told[1]) if told else 0
    edges = max((int(cov) for cov in re.findall(r" cov: (\d+)", ran.stderr)), default=0)
    broken = sorted(path for path in set(found.iterdir()) - before if not path.name.startswith("slow-unit"))
    took = time.monotonic() - began
    add_count("fuzzed", reader, tried=tried, broken=len(broken), seconds=round(took), edges=edges)
    print(f"{reader}: {tried:,} inputs in {took:.0f} s, {edges:,} edges; {len(broken)} broke it", flush=True)
    if broken or ran.returncode:
        lines = (ran.stdout + ran.stderr).splitlines()
        said = [line for line in lines if not line.startswith(("INFO:", "WARNING:", "stat::", "#"))]
        print(*said[-40:], *broken, sep="\n", flush=True)
    return len(broken) or int(bool(ran.returncode))


if __name__ == "__main__":
    sys.exit(main())
