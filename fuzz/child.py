"""One reader under atheris, in a process of its own: python -m fuzz.child READER FOLDER [libFuzzer's options].

The kernels run as plain Python (NUMBA_DISABLE_JIT=1): so atheris sees their branches, and an index out of range is an error
instead of a write to somewhere.
"""

from __future__ import annotations

import sys
import warnings

import atheris
import numpy as np

with atheris.instrument_imports(include=["goalloc_cli.trace", "goalloc_cli.report", "goalloc_cli.sizeclass"]):
    from fuzz.targets import TARGETS, outcome, without_checksums
    from goalloc_cli.report import output, saved  # noqa: F401
    from goalloc_cli.trace import (  # noqa: F401
        addrlog,
        allocfree,
        exectrace,
        exectrace_idle,
        exectrace_order,
        exectrace_pagecache,
        exectrace_slots,
        gctrace,
        native,
        rows,
        rows_malloclab,
        sniff,
    )


class Row(np.void):
    """A row of a table, whose columns are attributes, as they are in compiled code."""

    def __getattribute__(self, name: str) -> object:
        names = super().__getattribute__("dtype").names
        return self[name] if name in names else super().__getattribute__(name)

    def __setattr__(self, name: str, value: object) -> None:
        self[name] = value


def bound_time() -> None:
    """Bound by a five-hundredth what readers do in compiled code: as plain Python it is so much slower."""
    exectrace_slots.MOST_PAGES = exectrace_slots.MOST_SPAN_PAGES = 1 << 21
    exectrace_order.MOST_LOOKS = exectrace_pagecache.MOST_LOOKS = 1 << 22
    exectrace_idle.MOST_ACTIONS = 1 << 14


def give_rows_attributes() -> None:
    """Make all tables of such rows."""
    for name, module in sys.modules.items():
        if name.startswith("goalloc_cli."):
            for key, value in vars(module).items():
                if isinstance(value, np.dtype) and value.names:
                    setattr(module, key, np.dtype((Row, value)))


def main() -> None:
    warnings.simplefilter("ignore", RuntimeWarning)  # of integers that run over, as they do in compiled code
    reader, *options = sys.argv[1:]
    without_checksums()
    bound_time()
    give_rows_attributes()
    target = TARGETS[reader]

    def one(data: bytes) -> None:
        outcome(target, data)

    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
