"""How much memory this process takes."""

from __future__ import annotations

import sys


def most_resident() -> int:
    """The most bytes that this process had resident; 0 where that cannot be told."""
    try:
        import resource
    except ImportError:  # not a Unix
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most << 10
