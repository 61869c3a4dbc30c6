"""The samples of a replay, put together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.results.outcome import SAMPLE, Reason

Samples = NDArray[np.void]
"""SAMPLE rows."""


def joined(parts: list[Samples]) -> Samples:
    """The samples of all parts. (np.concatenate compares all their columns anew for each part.)"""
    return np.frombuffer(bytearray().join(part.tobytes() for part in parts), SAMPLE)


def with_peak(samples: Samples, peak: Samples) -> Samples:
    """The samples by event, with one of the peak where none was taken at its event."""
    samples = samples[np.argsort(samples["event"], kind="stable")]
    if not peak["heap_inuse"][0] or (samples["event"] == peak["event"][0]).any():
        return samples
    peak = peak.copy()
    peak["reason"] = Reason.PEAK
    return np.insert(samples, np.searchsorted(samples["event"], peak["event"][0]), peak)
