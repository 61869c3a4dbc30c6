"""What a kernel is called with: arrays, records, numbers and tuples of them, each as it is."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from goalloc_cli.compiled import calls
from goalloc_cli.model.books.tally import tally
from goalloc_cli.trace.event import Kind
from tests.kit.root import ROOT

KINDS = np.array([Kind.ALLOC, Kind.FREE, Kind.ALLOC, Kind.TIME], np.uint8)
HANDLES = np.array([7, 7, 9, 0], np.uint32)


def tallied(kinds: np.ndarray, handles: np.ndarray) -> tuple[tuple[int, int], list[int]]:
    """What a kernel returns, and what it writes."""
    counts = np.zeros(64, np.int64)
    return tally(kinds, handles, counts), counts.tolist()


def test_a_kernel_says_what_its_python_says() -> None:
    by_hand = np.zeros(64, np.int64)
    returned = tally.function(KINDS, HANDLES, by_hand)
    assert tallied(KINDS, HANDLES) == (returned, by_hand.tolist())


def test_an_array_with_steps_is_read_in_steps() -> None:
    wide = np.stack([HANDLES, HANDLES + 100], axis=1)[:, 0]
    assert not wide.flags.c_contiguous
    assert tallied(np.repeat(KINDS, 2)[::2], wide) == tallied(KINDS, HANDLES)


def test_an_array_that_must_not_be_written_is_read() -> None:
    frozen = KINDS.copy()
    frozen.flags.writeable = False
    assert tallied(frozen, HANDLES) == tallied(KINDS, HANDLES)


def test_another_width_is_another_code() -> None:
    assert tallied(KINDS, HANDLES.astype(np.int64)) == tallied(KINDS, HANDLES)


@pytest.mark.parametrize("odd", ["text", b"bytes", None, [1]])
def test_what_no_kernel_takes_is_refused(odd: object) -> None:
    with pytest.raises(TypeError, match=f"no {type(odd).__name__}"):
        calls.flatten((odd,), [], [])


def test_integers_are_alike_but_for_the_words_of_bitmaps() -> None:
    kinds: list[object] = []
    calls.flatten((1, np.int32(1), np.uint8(1), Kind.FREE, np.uint64(1), True, 1.0), kinds, [])
    assert kinds == ["i", "i", "i", "i", "u", "b", "f"]


def test_records_with_other_columns_have_other_names() -> None:
    one, other = np.dtype([("a", "<i4"), ("b", "<i4")]), np.dtype([("b", "<i4"), ("a", "<i4")])
    assert calls.name_of_dtype(one) != calls.name_of_dtype(other)


def test_what_is_compiled_runs_without_the_compiler() -> None:
    trace = str(ROOT / "traces" / "lru-go1.27.msgpack")
    run = f"c.run(['replay', {trace!r}, '-o', '/dev/null', '--force'])"
    command = [sys.executable, "-c", f"import sys, goalloc_cli.cli as c; {run}; print('numba' in sys.modules)"]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)  # the first may compile
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split() == ["False"]
