"""What is imported only when it is wanted: a command, a reader, a report. A start is short where it loads little."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def late(name: str) -> Any:
    """What "module:name" of this package stands for. The name is one of ours, from a table in the sources."""
    module, found = name.split(":")
    return getattr(import_module(f"goalloc_cli.{module}"), found)
