"""An overlay of the Go toolchain: a folder with the changed files of the runtime, and the list that `go -overlay` reads.

Go: cmd/go/internal/fsys (`Replace`, file by file; relative names begin in the folder where the command works).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from goalloc_cli.recording.mend import Detail, mended
from goalloc_cli.recording.toolchain import Toolchain, join, split

LIST = "overlay.json"
FLAG = "overlay"
TRACER = "traceallocfree.go"
"""The file that says whether a runtime writes allocations at all."""


def flag(list_file: Path) -> str:
    """What a go command needs to build with an overlay."""
    return f"-{FLAG}={list_file}"


def write(folder: Path, go: Toolchain, detail: Detail, theirs: str | None) -> Path:
    """Write the overlay of a toolchain into a folder, which is made if it is not there; return its list, an absolute path.

    Args:
        theirs: the list of the overlay that the command has already; ours holds all of it.

    Raises:
        UnlikeError: the runtime is not as expected.
        ValueError: their overlay is no overlay.
        OSError: the runtime cannot be read, or the folder not written.
    """
    runtime = go.goroot / "src" / "runtime"
    names = {path.name for path in runtime.iterdir()}
    if TRACER not in names:
        raise ValueError(f"{runtime} has no {TRACER}: {go.release} records no allocations, Go 1.23 and newer do")
    replaced = read_list(go.folder / theirs) if theirs is not None else {}
    before = {(go.folder / name).absolute(): to for name, to in replaced.items()}

    def read(name: str) -> str:
        return (go.folder / before.get(runtime / name, runtime / name)).read_text(encoding="utf-8")

    changed = mended(read, names, go.release, detail)
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in changed.items():
        (folder / name).write_text(text, encoding="utf-8")
    kept = {name: to for name, to in replaced.items() if (go.folder / name).absolute() not in {runtime / n for n in changed}}
    ours = {str(runtime / name): str(folder / name) for name in changed}
    list_file = folder / LIST
    list_file.write_text(json.dumps({"Replace": kept | ours}, indent=1) + "\n", encoding="utf-8")
    return list_file


def read_list(path: Path) -> dict[str, str]:
    """What an overlay replaces, name by name; raise ValueError where it is none."""
    try:
        found = json.loads(path.read_bytes()).get("Replace") or {}
        if all(isinstance(to, str) for to in found.values()):
            return dict(found)
    except (ValueError, AttributeError):
        pass
    raise ValueError(f"{path} is no overlay: it has to be JSON with the object Replace")


def given(fields: Sequence[str]) -> tuple[int, str] | None:
    """Where among flags an overlay is named, and its list; the last one counts."""
    for at in reversed(range(len(fields))):
        name, equals, value = fields[at].partition("=")
        if name not in (f"-{FLAG}", f"--{FLAG}"):
            continue
        if equals:
            return at, value
        if at + 1 < len(fields):
            return at + 1, fields[at + 1]
    return None


def theirs(go: Toolchain, args: Sequence[str] = ()) -> str | None:
    """The list of the overlay that a command has already: of its arguments, else of GOFLAGS."""
    found = given(args) or given(split(go.goflags))
    return found[1] if found else None


def passed(list_file: Path, go: Toolchain, args: Sequence[str]) -> tuple[list[str], str]:
    """The arguments and the GOFLAGS with which a command uses this overlay, and no other."""
    found = given(args)
    if found is None:
        kept = [field for field in split(go.goflags) if given([field]) is None]
        return [*args], join([*kept, flag(list_file)])
    at = found[0]
    new = str(list_file) if args[at] == found[1] else flag(list_file)
    return [*args[:at], new, *args[at + 1 :]], go.goflags
