"""Real programs under many settings, and recordings of them.

With GODEBUG=gcstoptheworld=1 and GOMAXPROCS=1 a run is repeatable: that is the oracle. Without, runs of one setting differ.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GOGCS = ("10", "25", "50", "100", "200", "400")
LIMITED = ("100", "off")
"""GOGC under each memory limit."""
TIMES_THE_LEAST = (1.1, 1.4, 2.0)
"""Memory limits, by what the program has mapped at most at GOGC=10."""
LONGEST_SECONDS = 120


@dataclass(frozen=True)
class Setting:
    """One GOGC and GOMEMLIMIT."""

    gogc: str
    limit_bytes: int | None = None

    @property
    def environ(self) -> dict[str, str]:
        """As a program takes it."""
        limited = {} if self.limit_bytes is None else {"GOMEMLIMIT": str(self.limit_bytes)}
        return {"GOGC": self.gogc, **limited}

    def __str__(self) -> str:
        return f"g{self.gogc}-l{self.limit_bytes or 'off'}"


@dataclass(frozen=True)
class Program:
    """A program that takes -scale, -json and -trace, as those beside this file do."""

    path: Path
    scale: int

    def run(
        self, folder: Path, setting: Setting, procs: int = 1, stopped: bool = True, number: int = 0, traced: bool = False
    ) -> dict[str, Any]:
        """What a run said of itself; kept in `folder`, and read from there the next time."""
        name = f"{self.path.name}-p{procs}-{setting}-{'stopped' if stopped else 'free'}-{number}{'-traced' * traced}"
        told = folder / f"{name}.json"
        if not told.exists():
            debug = "gctrace=1" + ",gcstoptheworld=1" * stopped + ",traceallocfree=1" * traced
            environ = {**os.environ, "GOMAXPROCS": str(procs), "GODEBUG": debug, **setting.environ}
            args: list[str | Path] = [self.path, "-scale", str(self.scale), "-json", told]
            if traced:
                args += ["-trace", folder / f"{name}.trace"]
            with (folder / f"{name}.gctrace").open("w") as err:
                subprocess.run(args, env=environ, stderr=err, timeout=LONGEST_SECONDS, check=True)
        found: dict[str, Any] = json.loads(told.read_text())
        return {**found, "trace": str(folder / f"{name}.trace")}

    def known(self, folder: Path, setting: Setting) -> bool:
        """Whether it comes to an end under a setting; near the limit a program may all but stand still."""
        try:
            return "numgc" in self.run(folder, setting)
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
            (folder / f"{self.path.name}-p1-{setting}-stopped-0.json").write_text("{}")  # it is not tried again
            return False

    def settings(self, folder: Path) -> list[Setting]:
        """The settings that it is run under."""
        least = self.run(folder, Setting("10"))["peak_mapped"]
        limits = [int(least * times) >> 20 << 20 for times in TIMES_THE_LEAST]
        return [*map(Setting, GOGCS), *(Setting(gogc, limit) for limit in limits for gogc in LIMITED)]
