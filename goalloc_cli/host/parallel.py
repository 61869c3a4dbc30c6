"""Jobs in processes, at most one for each core; what comes of them, in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import connection
from typing import Any, Generic, TypeVar

from goalloc_cli.host import ending

Job = TypeVar("Job")
Result = TypeVar("Result")
Tick = Callable[[int], None]

LOOK_SECONDS = 0.1
"""Time between two words of a process on how far it is."""
QUICK_SECONDS = 3.0
"""What several processes need to begin, each with its own compiled code."""
LAST_SECONDS = 0.5
"""How long a process that is told to end may take."""


def in_order(
    work: Callable[[Job, Tick], Result], jobs: Sequence[Job], tick: Tick | None, first_here: bool, seconds_here: float = 0
) -> Iterator[Result | Exception]:
    """Yield what `work(job, tick)` returns for each job, or the error that it ends with.

    Args:
        work: a function of a module; its jobs, results and errors can be pickled.
        tick: is told how much all jobs together have done.
        first_here: do the first job in this process, before the others begin.
        seconds_here: and others too, until so much time has gone: small jobs are done sooner than processes begin.
    """
    workers = min(os.cpu_count() or 1, len(jobs))
    here = len(jobs) if workers == 1 else int(first_here)
    done = [0] * len(jobs)

    def told(number: int, amount: int) -> None:
        done[number] = amount
        if tick is not None:
            tick(sum(done))

    began, here_until = time.monotonic(), here
    for number, job in enumerate(jobs):
        if number >= here and time.monotonic() >= began + seconds_here:
            break
        yield attempt(work, job, lambda amount, number=number: told(number, amount))  # type: ignore[misc]
        here_until = number + 1
    here = max(here, here_until)
    pool = Pool(work, jobs, here, told)
    with ending.undone_by(pool.end):
        try:
            for number in range(here, len(jobs)):
                yield pool.result(number, workers)
        finally:
            pool.end()


def attempt(work: Callable[[Job, Tick], Result], job: Job, tick: Tick) -> Result | Exception:
    """What a job comes to, or the error that it ends with."""
    try:
        return work(job, tick)
    except Exception as error:
        return error


class Pool(Generic[Job, Result]):
    """Processes, each with a job. One that is killed costs its own job, and another takes its place."""

    def __init__(
        self, work: Callable[[Job, Tick], Result], jobs: Sequence[Job], first: int, told: Callable[[int, int], None]
    ) -> None:
        """The jobs from number `first` on are to be done; `told` hears how far each is."""
        self.work = work
        self.jobs = jobs
        self.told = told
        self.waiting = deque(range(first, len(jobs)))
        self.results: dict[int, Result | Exception] = {}
        self.workers: list[Worker] = []

    def result(self, number: int, most: int) -> Result | Exception:
        """What a job comes to, once that is there; at most so many processes work at once."""
        while number not in self.results:
            while self.waiting and len([worker for worker in self.workers if worker.job is not None]) < most:
                self.give(self.waiting.popleft())
            for channel in connection.wait([worker.channel for worker in self.workers]):
                self.listen(next(worker for worker in self.workers if worker.channel is channel))
        return self.results.pop(number)

    def give(self, number: int) -> None:
        """Have a process that is free, or a new one, do a job."""
        free = [worker for worker in self.workers if worker.job is None and worker.process.is_alive()]
        if not free:
            with ending.undisturbed():
                free = [Worker(self.work)]
                self.workers.append(free[0])
        free[0].take(number, self.jobs[number])

    def listen(self, worker: Worker) -> None:
        """Take in what a process has to say: how far it is, what its job came to, or that it is no more."""
        try:
            is_done, found = worker.channel.recv()
        except (EOFError, OSError):
            with ending.undisturbed():  # it is not `end` that killed it
                self.workers.remove(worker)
            job = None if worker.job is None else self.jobs[worker.job]
            is_done, found = True, ChildProcessError(f"{job}: its process was killed from outside; is there enough memory?")
        except Exception as error:  # an error of a kind that cannot be told to another process
            is_done, found = True, error
        if worker.job is None:
            return
        if is_done:
            self.results[worker.job], worker.job = found, None
        else:
            self.told(worker.job, found)

    def end(self) -> None:
        """End all processes."""
        for worker in self.workers:
            worker.process.terminate()
        last = time.monotonic() + LAST_SECONDS
        for worker in self.workers:
            worker.process.join(max(0.0, last - time.monotonic()))
            worker.process.kill()
            worker.process.join(LAST_SECONDS)
        self.workers.clear()


class Worker:
    """A process that does one job after the other."""

    def __init__(self, work: Callable[[Any, Tick], Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.channel, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, work), daemon=True)
        self.job: int | None = None
        """The number of what it does."""
        with deaf_to_the_terminal():
            self.process.start()
        theirs.close()  # the only other end is that of the process: it closes when that dies

    def take(self, number: int, job: object) -> None:
        """Give it a job. Where it was killed meanwhile, its end of the channel tells."""
        self.job = number
        with suppress(OSError):
            self.channel.send(job)


@contextmanager
def deaf_to_the_terminal() -> Iterator[None]:
    """What is started here hears nothing of Ctrl-C and of a terminal that is closed: its parent hears it, and ends it."""
    mask = getattr(signal, "pthread_sigmask", None)
    if mask is None:
        yield
        return
    before = mask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        mask(signal.SIG_SETMASK, before)


def serve(channel: connection.Connection, work: Callable[[Any, Tick], Any]) -> None:
    """What a process does: one job after the other, as long as there is someone who asks."""
    ending.watch()
    threading.Thread(target=end_with_parent, daemon=True).start()
    due = 0.0

    def tick(amount: int) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + LOOK_SECONDS
            channel.send((False, amount))

    with suppress(EOFError, OSError):
        while True:
            found = attempt(work, channel.recv(), tick)
            try:
                channel.send((True, found))
            except OSError:
                raise
            except Exception as error:  # it cannot be pickled
                channel.send((True, RuntimeError(f"{type(found).__name__}: {found} ({error})")))


def end_with_parent() -> None:
    """End this process, whatever it is doing, when its parent is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    ending.end()
