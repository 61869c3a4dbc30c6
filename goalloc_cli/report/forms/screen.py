"""What the standard output can show: how wide, whether in colour, whether drawings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import TextIO

from goalloc_cli.report.forms.layout import Paper

NARROWEST, WIDEST = 40, 200


def has_colour(option: str, out: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """--color first, then NO_COLOR, then FORCE_COLOR, then whether it is a terminal that knows colours."""
    if option != "auto":
        return option == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return environ["FORCE_COLOR"] != "0"
    return out.isatty() and environ.get("TERM") != "dumb"


def has_many(out: TextIO) -> bool:
    """Whether layers can be told apart by colour: of sixteen colours some would be alike."""
    from rich.console import Console

    return Console(file=out, force_terminal=True).color_system in ("256", "truecolor")


def paper_of(out: TextIO, colour: bool) -> Paper:
    """As wide as the terminal; 80 columns (or COLUMNS) and no drawings through a pipe."""
    size = shutil.get_terminal_size((80, 24))
    width = min(max(size.columns, NARROWEST), WIDEST)
    encoding = (out.encoding or "").lower().replace("-", "")
    height = size.lines if out.isatty() else 0
    drawings, unicode = out.isatty() or colour, encoding.startswith("utf")
    return Paper(width, drawings, unicode, colour=colour and has_many(out), height=height)
