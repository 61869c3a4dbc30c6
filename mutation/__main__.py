"""Mutation testing of the kernels: how many small mistakes would the tests notice?

    python -m mutation                     all files, every mutant
    python -m mutation mcache sweep        some files
    python -m mutation --sample 20         every twentieth mutant, for a quick look

Kernels run uncompiled, so a mutant is a function whose code is exchanged in a fork of this process. It is killed where a
random program gets another address, list or counter than from the naive twin, where a recording gets another address or
heapLive than in Go, where a bad event is taken, where an invariant breaks, where a story of the tests ends otherwise, or
where it never ends. Survivors are printed.

What kills most for its time is tried first, and only what runs the line that was changed.
"""

from __future__ import annotations

import os

os.environ["NUMBA_DISABLE_JIT"] = "1"
os.environ.setdefault("GOALLOC_LIMITS", "pages=65536,spans=65536,slot_words=1048576,queue_places=65536,runs=65536")

import argparse
import contextlib
import importlib
import io
import json
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FrameType, FunctionType

import pytest

import tests.conftest  # noqa: F401  (gives rows their attributes before anything else has them)
from mutation.held import Held, held
from mutation.mutants import MODEL, Mutant, module_of, mutants

FILES = (
    "malloc", "mcache", "mcentral", "mcentral_sets", "mcentral_lists", "sweep", "sweeper", "pagealloc", "pagealloc_radix",
    "pagealloc_treap",
)  # fmt: skip

SWEEPS, EXAMPLES = ("model/test_hints.py", "model/test_underway.py"), ("model/test_worked_examples.py",)
STORIES = {"sweep": SWEEPS, "sweeper": SWEEPS, "mcache": SWEEPS + EXAMPLES, "malloc": EXAMPLES}
"""Tests that tell of a file what no program shows."""
STORY_SECONDS = 30

Lines = set[tuple[str, int]]
"""Of files of the model, by their names."""


@dataclass
class Judge:
    """Something that mutants are held against, and what is known of it."""

    held: Held
    seconds: float
    reached: Lines
    kills: int = 0

    @property
    def worth(self) -> float:
        """How soon to ask it: kills for a second."""
        return (1 + self.kills) / (0.05 + self.seconds)


def judged(one: Held) -> Judge:
    """A judge, once it has found nothing wrong with the kernels as they are; the run ends where it does."""
    answer = json.loads(told_by_fork(lambda: json.dumps(watched(one)), 600) or "{}")
    if not answer.get("right"):
        sys.exit(f"without any mutant this fails: {one.label}")
    return Judge(one, answer["seconds"], {(file, line) for file, line in answer["reached"]})


def watched(one: Held) -> dict[str, object]:
    """How long the kernels take as they are, and which lines they run."""
    reached: Lines = set()
    files = {str(next(MODEL.rglob(f"{file}.py"))): file for file in FILES}

    def trace(frame: FrameType, event: str, arg: object) -> Callable[..., object] | None:
        file = files.get(frame.f_code.co_filename)
        if file is None:
            return None
        reached.add((file, frame.f_lineno))
        return trace

    sys.settrace(trace)
    right = one.holds()
    sys.settrace(None)
    return {"right": right, "seconds": time.process_time() / 3, "reached": sorted(reached)}


def told_by_fork(work: Callable[[], str], seconds: float) -> str | None:
    """What `work` returns in a process of its own; None where that process ends otherwise, or takes longer."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
        with os.fdopen(write, "w") as pipe:
            pipe.write(work())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    return told if status == 0 else None


def killer(mutant: Mutant, judges: Iterable[Judge]) -> str:
    """What kills a mutant; "" if it survives. Run in a fork: the code stays exchanged."""
    function = getattr(importlib.import_module(module_of(mutant.file)), mutant.function)
    assert isinstance(function, FunctionType)
    function.__code__ = mutant.code
    for judge in judges:
        # By the time that the process takes: the machine may be busy with others. Whoever is not done then never ends.
        signal.setitimer(signal.ITIMER_VIRTUAL, 1 + 5 * judge.seconds)
        try:
            if not judge.held.holds():
                return judge.held.label
        except Exception as error:
            return f"{judge.held.label}: {type(error).__name__}"
    signal.setitimer(signal.ITIMER_VIRTUAL, STORY_SECONDS)
    return "" if stories_hold(STORIES.get(mutant.file, ())) else "a story"


def stories_hold(stories: Iterable[str]) -> bool:
    """Whether stories of the tests end as they should on the kernels."""
    options = ["-x", "-q", "-p", "no:cacheprovider", "-k", "not naive"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return all(pytest.main([*options, str(MODEL.parent.parent / "tests" / name)]) == 0 for name in stories)


def is_killed(mutant: Mutant, judges: list[Judge]) -> str:
    """What kills a mutant, found out in a process of its own; "" where nothing does."""
    lines = {(mutant.file, line) for line in mutant.lines}
    asked = sorted((judge for judge in judges if judge.reached & lines), key=lambda judge: -judge.worth)
    told = told_by_fork(lambda: killer(mutant, asked), 600)
    if told is None:
        return "never ends"
    for judge in asked:
        judge.kills += told.startswith(judge.held.label)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description="Mutation testing of the kernels.")
    parser.add_argument("files", nargs="*", metavar="FILE", help=", ".join(FILES))
    parser.add_argument("--sample", type=int, default=1, metavar="N", help="every N-th mutant only")
    parser.add_argument("--seen", action="store_true", help="print what kills each mutant, too")
    asked = parser.parse_args()
    if unknown := {*asked.files} - {*FILES}:
        parser.error(f"there is no file {unknown.pop()!r}")
    judges = [judged(one) for one in held()]
    if not stories_hold(SWEEPS + EXAMPLES):
        sys.exit("without any mutant the stories fail")
    total: Counter[bool] = Counter()
    for file in asked.files or FILES:
        found: Counter[bool] = Counter()
        started = time.monotonic()
        for mutant in list(mutants(file))[:: asked.sample]:
            killed = is_killed(mutant, judges)
            found[bool(killed)] += 1
            if asked.seen or not killed:
                place = f"{file}.py:{mutant.lines.start} {mutant.function}: {mutant.what}"
                print(f"{killed or 'survives'}: {place}", flush=True)
        total += found
        share = found[True] / max(found.total(), 1)
        seconds = time.monotonic() - started
        print(f"{file}: {found[True]} of {found.total()} killed, {share:.1%}, {seconds:.0f} s", flush=True)
    print(f"all: {total[True]} of {total.total()} killed, {total[True] / max(total.total(), 1):.1%}")


if __name__ == "__main__":
    main()
