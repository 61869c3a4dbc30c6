"""What the tests of sweeps share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def arrow() -> None:
    if not os.environ.get("GOALLOC_NEEDS_SWEEP"):
        pytest.importorskip("pyarrow")
