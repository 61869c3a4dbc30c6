"""What kernels need to run as plain Python, with NUMBA_DISABLE_JIT=1: rows whose columns are attributes, in every table.

NumPy's own rows of that kind, `np.record`, look each column up in Python, which takes most of the time of a kernel so run.
No column here has the name of an attribute of NumPy (heap.py, table), so the look-up can be NumPy's own, in C.
"""

from __future__ import annotations

import sys

import numpy as np


def give_rows_attributes() -> None:
    """Make all tables of the modules of goalloc imported so far of rows with attributes."""
    del np.record.__getattribute__
    del np.record.__getitem__
    np.record.__getattr__ = np.void.__getitem__
    np.record.__setattr__ = np.void.__setitem__
    for name, module in list(sys.modules.items()):
        if name.startswith("goalloc_cli."):
            for key, value in vars(module).items():
                if isinstance(value, np.dtype):
                    setattr(module, key, of_records(value))


def of_records(dtype: np.dtype) -> np.dtype:
    """The same type of rows, with attributes, and so all rows in it."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return np.dtype((of_records(base), shape))
    if dtype.names is None or dtype.fields is None:
        return dtype
    columns = {
        "names": dtype.names,
        "formats": [of_records(dtype.fields[name][0]) for name in dtype.names],
        "offsets": [dtype.fields[name][1] for name in dtype.names],
        "itemsize": dtype.itemsize,
    }
    return np.dtype((np.record, np.dtype(columns, align=dtype.isalignedstruct)))
