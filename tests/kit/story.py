"""Traces as one line of text, for tests that tell a story.

    events("P2 alloc a 24; gc; P2 free a; P0 alloc b 40000 noscan; stack s 8192; flush")

Statements are separated by semicolons. A statement may start with the P that does it (P0 if not):

| statement | events |
|-----------|--------|
| `alloc [NAME] SIZE [noscan] [x N]` | an object; with `x N` that many, named NAME0, NAME1, ... |
| `free NAME ...` | objects die; NAME of a group means all of it, NAME3..NAME7 five of it |
| `stack NAME SIZE [x N]` | a goroutine stack, or N of them |
| `unstack NAME ...` | goroutine stacks are freed |
| `mark` and `sweep` (`sweep!`) | the start and the end of a GC cycle (`!`: an explicit runtime.GC) |
| `gc` (`gc!`) | both, with nothing between |
| `flush` | runtime.ReadMemStats |
| `release` | debug.FreeOSMemory releases everything; write `gc!` before it |
| `gogc PERCENT` | debug.SetGCPercent |
| `time SECONDS` | so many seconds since the start |

Handles are counted up from 0 and never used again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from goalloc_cli.trace.event import NOSCAN, Kind

Event = tuple[int, int, int, int, int]
"""kind, p, id, size, arg."""


@dataclass
class Story:
    """The events of a text, and the handles of its names."""

    events: list[Event] = field(default_factory=list)
    objects: dict[str, int] = field(default_factory=dict)
    stacks: dict[str, int] = field(default_factory=dict)
    stack_bytes: dict[str, int] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    unnamed: int = 0


def events(text: str) -> list[Event]:
    """The events of `text`."""
    return story(text).events


def story(text: str) -> Story:
    """The events of `text` with the names it uses."""
    told = Story()
    for statement in text.split(";"):
        if statement.strip():
            tell(told, statement.split())
    return told


def tell(told: Story, words: list[str]) -> None:
    """Add the events of one statement."""
    p = 0
    if words[0][0] == "P" and words[0][1:].isdigit():
        p = int(words[0][1:])
        words = words[1:]
    verb, rest = words[0], words[1:]
    explicit = int(verb.endswith("!"))
    match verb.rstrip("!"):
        case "alloc":
            tell_alloc(told, p, rest)
        case "free":
            for name in named(told, rest):
                told.events.append((Kind.FREE, p, told.objects[name], 0, 0))
        case "stack":
            tell_stack(told, p, rest)
        case "unstack":
            for name in named(told, rest):
                told.events.append((Kind.STACK_FREE, p, told.stacks[name], told.stack_bytes[name], 0))
        case "mark":
            told.events.append((Kind.GC_START, p, 0, 0, explicit))
        case "sweep":
            told.events.append((Kind.GC_END, p, 0, 0, explicit))
        case "gc":
            told.events += [(Kind.GC_START, p, 0, 0, explicit), (Kind.GC_END, p, 0, 0, explicit)]
        case "release":
            told.events.append((Kind.FREE_OS_MEMORY, p, 0, 0, 0))
        case "gogc":
            told.events.append((Kind.SET_GOGC, p, 0, int(rest[0]), 0))
        case "time":
            told.events.append((Kind.TIME, p, 0, int(float(rest[0]) * 1e9), 0))
        case "flush":
            told.events.append((Kind.FLUSH, p, 0, 0, 0))
        case _:
            raise ValueError(f"no such statement: {' '.join(words)}")


def tell_alloc(told: Story, p: int, words: list[str]) -> None:
    """Add the events of `alloc`."""
    name, size, rest = name_and_size(told, words)
    kind = Kind.ALLOC | (NOSCAN if "noscan" in rest else 0)
    for each in copies(told, name, rest):
        told.objects[each] = len(told.objects)
        told.events.append((kind, p, told.objects[each], size, 0))


def tell_stack(told: Story, p: int, words: list[str]) -> None:
    """Add the events of `stack`."""
    name, size, rest = name_and_size(told, words)
    for each in copies(told, name, rest):
        told.stacks[each] = len(told.stacks)
        told.stack_bytes[each] = size
        told.events.append((Kind.STACK_ALLOC, p, told.stacks[each], size, 0))


def name_and_size(told: Story, words: list[str]) -> tuple[str, int, list[str]]:
    """The name (made up if there is none), the size and the words after it."""
    if words[0].isdigit():
        told.unnamed += 1
        return f"_{told.unnamed}_", int(words[0]), words[1:]
    return words[0], int(words[1]), words[2:]


def copies(told: Story, name: str, words: list[str]) -> list[str]:
    """The names that `x N` makes of one; a name must be new."""
    names = [name]
    if "x" in words:
        names = [f"{name}{i}" for i in range(int(words[words.index("x") + 1]))]
    told.groups[name] = names
    taken = [each for each in names if each in told.objects or each in told.stacks]
    if taken:
        raise ValueError(f"the name {taken[0]} is used twice")
    return names


def named(told: Story, words: list[str]) -> list[str]:
    """Every name that the words mean."""
    names: list[str] = []
    for word in words:
        if ".." in word:
            first, last = word.split("..")
            group = first.rstrip("0123456789")
            names += [f"{group}{i}" for i in range(int(first[len(group) :]), int(last[len(group) :]) + 1)]
        else:
            names += told.groups.get(word, [word])
    return names
