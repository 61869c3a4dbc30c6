"""One reader under atheris, in a process of its own: python -m fuzz.child READER FOLDER [libFuzzer's options].

The kernels run as plain Python (NUMBA_DISABLE_JIT=1): so atheris sees their branches, and an index out of range is an error
instead of a write to somewhere.
"""

from __future__ import annotations

import sys
import warnings

import atheris
import numpy as np

INSTRUMENTED = ["importers", "native", "trace", "report", "host", "design.sizeclass"]
with atheris.instrument_imports(include=[f"goalloc_cli.{name}" for name in INSTRUMENTED]):
    from fuzz.targets import TARGETS, outcome, without_checksums
    from goalloc_cli.importers import addrlog, heapprofile, malloclab, sniff  # noqa: F401
    from goalloc_cli.importers.allocfree import read as allocfree  # noqa: F401
    from goalloc_cli.importers.exectrace import read as exectrace  # noqa: F401
    from goalloc_cli.importers.exectrace.infer import idle, order, pagecache
    from goalloc_cli.importers.exectrace.slots import slots
    from goalloc_cli.importers.exectrace.wire import survey
    from goalloc_cli.importers.gctrace import read as gctrace  # noqa: F401
    from goalloc_cli.importers.memstats import process  # noqa: F401
    from goalloc_cli.importers.memstats import read as memstats  # noqa: F401
    from goalloc_cli.importers.rows import read as rows  # noqa: F401
    from goalloc_cli.native import native  # noqa: F401
    from goalloc_cli.report.documents import saved  # noqa: F401
    from goalloc_cli.report.forms import output  # noqa: F401


class Row(np.void):
    """A row of a table, whose columns are attributes, as they are in compiled code."""

    def __getattribute__(self, name: str) -> object:
        names = super().__getattribute__("dtype").names
        return self[name] if name in names else super().__getattribute__(name)

    def __setattr__(self, name: str, value: object) -> None:
        self[name] = value


def bound_time() -> None:
    """Bound by a five-hundredth what readers do in compiled code: as plain Python it is so much slower."""
    survey.MOST_PAGES = slots.MOST_PAGES = slots.MOST_SPAN_PAGES = 1 << 21
    order.MOST_LOOKS = pagecache.MOST_LOOKS = 1 << 22
    idle.MOST_ACTIONS = 1 << 14


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
