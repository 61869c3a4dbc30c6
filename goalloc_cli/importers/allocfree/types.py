"""Names what was allocated where, by which calls, and says what a type's name tells about pointers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from goalloc_cli.importers.allocfree.scan import NO_POINTERS, POINTERS, UNKNOWN

NO_TYPE_GIVEN = "no type"
"""What the runtime allocates without a type: strings, buffers, anything else without pointers."""

BACKSLASH = "\\"

_BASIC = re.compile(r"(?:bool|u?int(?:8|16|32|64|ptr)?|float(?:32|64)|complex(?:64|128))\Z")
_POINTER = re.compile(r"\*|map\[|chan |<-chan |func\(|\[\]|interface |(?:string|unsafe\.Pointer|error)\Z")
_RUNTIME = re.compile(r"runtime\.(?:g|m|p|sudog|hchan|hmap|mapextra|timer|_defer|_panic|funcval|specialfinalizer)\Z")
"""Types of the runtime's own that hold pointers in every release."""
_ARRAYS = re.compile(r"(?:\[\d+\])*")
MOST_DEEP = 50
"""Structs and maps inside others that are looked into."""


def pointers_in(type_name: str, deep: int = 0) -> int:
    """Whether values of a type hold pointers: POINTERS, NO_POINTERS, or UNKNOWN for a type that is a name or too deep."""
    if deep > MOST_DEEP:
        return UNKNOWN
    name = _ARRAYS.sub("", type_name, count=1)
    if name.startswith("map.bucket["):
        return _either(_key_and_element(name.removeprefix("map.bucket")), deep)
    if _BASIC.match(name) or name == "struct {}":
        return NO_POINTERS
    if _POINTER.match(name) or _RUNTIME.match(name):
        return POINTERS
    if name.startswith("struct { ") and name.endswith(" }"):
        return _either([field.strip().partition(" ")[2] for field in _split(name[len("struct { ") : -len(" }")])], deep)
    return UNKNOWN


def _either(type_names: Iterable[str], deep: int) -> int:
    """The same for all these together, `deep` inside another: one with pointers is enough."""
    answers = [pointers_in(name, deep + 1) for name in type_names]
    if POINTERS in answers:
        return POINTERS
    return UNKNOWN if UNKNOWN in answers else NO_POINTERS


def _key_and_element(bucket: str) -> tuple[str, str]:
    """The two types in `[key]element`."""
    depth = 0
    for at, char in enumerate(bucket):
        depth += (char == "[") - (char == "]")
        if not depth:
            return bucket[1:at], bucket[at + 1 :]
    return bucket, ""


def _split(fields: str) -> list[str]:
    """The fields between semicolons that are not inside a struct of their own."""
    found, depth, start = [], 0, 0
    for at, char in enumerate(fields):
        depth += (char in "{(") - (char in "})")
        if char == ";" and not depth:
            found.append(fields[start:at])
            start = at + 1
    return [*found, fields[start:]]


def entry_name(type_name: str, function: str, place: str) -> str:
    """What reports call the objects of one type from one site: `main.node at main.build (small.go:15)`."""
    what = type_name or NO_TYPE_GIVEN
    if not function:
        return what
    return f"{what} at {function} ({place.replace(BACKSLASH, '/').rpartition('/')[2]})"


_FRAME = re.compile(rb"^([^\t\n][^\n]*)\([^(\n]*\)\n\t([^\n]*?):(\d+)(?: \+0x[^\n]*| fp=[^\n]*)?$", re.MULTILINE)
HIDDEN = "runtime.mallocgc"
"""The innermost call of every stack, which says nothing of the program."""


def frames_of(stack: bytes) -> list[tuple[str, str, int]]:
    """Function, file and line of each call in the text of a stack, the innermost first."""
    found = [(_text(name), _text(file), int(line[:10])) for name, file, line in _FRAME.findall(stack)]
    return found[1:] if found and found[0][0] == HIDDEN else found


def _text(data: bytes) -> str:
    return data.decode(errors="backslashreplace")
