"""Jobs in processes: their order, their errors, and what is left of them."""

from __future__ import annotations

import os
import signal
import time

import pytest

from goalloc_cli.host import parallel
from goalloc_cli.host.parallel import Tick, in_order


def pid(_: float, tick: Tick) -> int:
    return os.getpid()


def slept(seconds: float, tick: Tick) -> float:
    tick(1)
    time.sleep(seconds)
    return seconds


def failing(job: int, tick: Tick) -> int:
    if job == 1:
        raise ValueError("job 1 is odd")
    return job


def dying(job: int, tick: Tick) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return job


def dying_at_2(job: int, tick: Tick) -> int:
    time.sleep(0.1)
    return dying(job, tick) if job == 2 else job


def unpicklable(job: int, tick: Tick) -> object:
    return lambda: job


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel.os, "cpu_count", lambda: 2)


def test_results_come_in_the_order_of_the_jobs() -> None:
    assert list(in_order(slept, [0.4, 0.0, 0.1], None, first_here=False)) == [0.4, 0.0, 0.1]


def test_an_error_takes_the_place_of_its_result() -> None:
    first, error, last = in_order(failing, [0, 1, 2], None, first_here=False)
    assert (first, str(error), last) == (0, "job 1 is odd", 2)


def test_a_process_that_is_killed_is_an_error_that_names_the_job() -> None:
    errors = list(in_order(dying, [7, 8], None, first_here=False))
    assert [type(error) for error in errors] == [ChildProcessError] * 2
    assert str(errors[0]).startswith("7: ")


def test_a_process_that_is_killed_costs_its_own_job_alone() -> None:
    found = list(in_order(dying_at_2, [1, 2, 3, 4, 5], None, first_here=False))
    assert [result for result in found if not isinstance(result, Exception)] == [1, 3, 4, 5]
    assert str(found[1]) == "2: its process was killed from outside; is there enough memory?"


def test_a_result_that_no_other_process_can_be_told_is_an_error() -> None:
    errors = list(in_order(unpicklable, [1, 2], None, first_here=False))
    assert [type(error) for error in errors] == [RuntimeError] * 2


def test_the_first_job_is_done_here_where_it_has_to_compile() -> None:
    first, second, third = in_order(pid, [0, 1, 2], None, first_here=True)
    assert first == os.getpid()
    assert os.getpid() not in (second, third)


def test_one_core_has_no_use_for_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel.os, "cpu_count", lambda: 1)
    assert set(in_order(pid, [0, 1], None, first_here=False)) == {os.getpid()}


def test_there_are_no_more_processes_than_cores() -> None:
    assert len(set(in_order(pid, list(range(6)), None, first_here=False))) <= 2


def test_the_parent_is_told_how_far_all_jobs_are() -> None:
    told: list[int] = []
    list(in_order(slept, [0.3, 0.3], told.append, first_here=False))
    assert told[-1] == 2


def test_no_process_outlives_the_one_who_lost_interest() -> None:
    results = in_order(slept, [0.0, 60.0, 60.0], None, first_here=False)
    started = time.monotonic()
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 30
    assert parallel.multiprocessing.active_children() == []
