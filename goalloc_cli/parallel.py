"""Jobs in processes, at most one for each core; what comes of them, in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")
Tick = Callable[[int], None]

LOOK_SECONDS = 0.1
"""Time between two looks at how far the processes are."""

_progress: Any = None
"""In a process of its own: how far each job is, shared with the parent."""


def in_order(
    work: Callable[[Job, Tick], Result], jobs: Sequence[Job], tick: Tick | None, first_here: bool
) -> Iterator[Result | Exception]:
    """Yield what `work(job, tick)` returns for each job, or the error that it ends with.

    Args:
        work: a function of a module; its jobs, results and errors can be pickled.
        tick: is told how much all jobs together have done.
        first_here: do the first job in this process, before the others begin.
    """
    workers = min(os.cpu_count() or 1, len(jobs))
    here = len(jobs) if workers == 1 else int(first_here)
    done = [0] * len(jobs)

    def told(number: int, amount: int) -> None:
        done[number] = amount
        if tick is not None:
            tick(sum(done))

    for number, job in enumerate(jobs[:here]):
        try:
            yield work(job, lambda amount, number=number: told(number, amount))  # type: ignore[misc]
        except Exception as error:
            yield error
    if here == len(jobs):
        return
    with processes(workers, len(jobs)) as (pool, shared):
        futures = [pool.submit(_attempt, work, number, job) for number, job in enumerate(jobs) if number >= here]
        for job, future in zip(jobs[here:], futures, strict=True):
            while not wait([future], LOOK_SECONDS).done:
                if tick is not None:
                    tick(sum(done) + sum(shared))
            found: Result | Exception = result(job, future)
            yield found


def result(job: object, future: Future[Result]) -> Result | Exception:
    """What a job that is done came to."""
    try:
        return future.result()
    except BrokenProcessPool:
        return ChildProcessError(f"{job}: a process was killed from outside; is there enough memory?")
    except Exception as error:
        return error


@contextmanager
def processes(workers: int, jobs: int) -> Iterator[tuple[ProcessPoolExecutor, Any]]:
    """Processes that do jobs, and how far each job is. None of them outlives the block."""
    context = multiprocessing.get_context("spawn")
    shared = context.RawArray("q", jobs)
    pool = ProcessPoolExecutor(workers, context, _begin, (shared,))
    try:
        yield pool, shared
        pool.shutdown()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        # More than once: the pool's own thread waits for them too, and who comes second is not told that one has ended.
        while children := multiprocessing.active_children():
            for child in children:
                child.terminate()
            for child in children:
                child.join(LOOK_SECONDS)


def _begin(shared: Any) -> None:
    """A process begins: Ctrl-C ends it at once and without a word, the parent speaks for all."""
    global _progress
    _progress = shared
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _attempt(work: Callable[[Job, Tick], Result], number: int, job: Job) -> Result:
    """Do one job in a process of its own."""

    def told(amount: int) -> None:
        _progress[number] = amount

    return work(job, told)
