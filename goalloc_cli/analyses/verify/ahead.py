"""What `verify` calls its kernels with, by example: so that helpers can compile them before they are called."""

from __future__ import annotations

import numpy as np

from goalloc_cli.analyses.verify.follow import run_free, run_set_right
from goalloc_cli.analyses.verify.truth import Kept
from goalloc_cli.compiled.jit import expected
from goalloc_cli.model.tables.columns import HANDLES, Columns
from goalloc_cli.model.tables.heap import HEAP
from goalloc_cli.trace.like import I8, I8_2, U1, U2, U4, like

ARGUMENTS = (np.dtype((np.record, HEAP)), HANDLES, Columns(U1, U2, U4, I8, U4), I8, 0, like(Kept, rows=I8_2))
PARTS = [expected(run_free, *ARGUMENTS), expected(run_set_right, *ARGUMENTS)]
