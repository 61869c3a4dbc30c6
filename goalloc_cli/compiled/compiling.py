"""Whom to tell that kernels are being compiled: it takes a while, at the first run.

Kept apart from `jit.py`, so that the command line can say where to tell it without importing numba.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


def _nobody(text: str) -> None:
    """Tell nobody."""


ROOMS = {
    "goalloc_cli.importers.exectrace": "the reader of execution traces",
    "goalloc_cli.importers": "the reader of this input",
    "goalloc_cli.analyses.verify": "the model as verify follows it",
    "goalloc_cli.analyses": "what looks at the heap",
    "goalloc_cli.exporters": "what writes this form",
    "goalloc_cli.synth": "what makes traces up",
}
"""What is compiled, by how the name of its module begins; the first that fits."""
ALL_ELSE = "the model"


@dataclass
class Compiling:
    """What was compiled in this process so far."""

    tell: Callable[[str], None] = _nobody
    seconds: float = 0.0
    told: set[str] = field(default_factory=set)
    """What it was told of that it is compiled."""
    quiet: bool = False
    unkept: str = ""
    """Why what is compiled cannot be kept for later runs."""

    def listen(self, tell: Callable[[str], None]) -> None:
        """A command begins, which tells people so."""
        self.tell, self.seconds, self.told, self.quiet = tell, 0.0, set(), False

    def hush(self) -> None:
        """The command is to be quiet; that compiled code cannot be kept is told all the same."""
        self.quiet = True

    def tell_loudly(self, text: str) -> None:
        """Tell it unless the command is quiet."""
        if not self.quiet:
            self.tell(text)

    def begin(self, module: str) -> None:
        """A kernel of this module is about to be compiled."""
        room = next((room for start, room in ROOMS.items() if module.startswith(start)), ALL_ELSE)
        if room not in self.told:
            self.told.add(room)
            self.tell_loudly(f"compiling {room} for this machine: once, some seconds to half a minute ...")

    def cannot_keep(self, folder: str, error: OSError) -> None:
        """The compiled code is for this run alone."""
        self.unkept = self.unkept or f"{folder}: {error.strerror}"

    def done(self) -> None:
        """The command is done: say how long it took, and what comes of it."""
        if self.told and self.unkept:
            advice = "set GOALLOC_CACHE to a folder of your own"
            self.tell(f"compiled in {self.seconds:.0f} s, for this run only ({self.unkept}; {advice})")
        elif self.told:
            self.tell_loudly(f"compiled in {self.seconds:.0f} s; the next run starts at once")
        self.told = set()


compiling = Compiling()
"""The one of this process."""
