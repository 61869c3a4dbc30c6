"""Which figures each kind of document tells."""

from __future__ import annotations

from goalloc_cli.report.figures.figure import Catalogue
from goalloc_cli.report.figures.printed import GCTRACE, MEMSTATS, TRACE, VERIFY
from goalloc_cli.report.figures.replayed import REPLAY

CATALOGUES: dict[str, Catalogue] = {
    "goalloc replay": REPLAY,
    "goalloc memstats": MEMSTATS,
    "goalloc gctrace": GCTRACE,
    "goalloc stats": TRACE,
    "goalloc verify": VERIFY,
}
"""By the schema of the document."""
