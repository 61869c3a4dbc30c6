"""Mutation testing of the kernels: how many small mistakes would the tests notice?

    python -m tests.mutation                     all files, every mutant: about half an hour
    python -m tests.mutation mcache sweep        some files
    python -m tests.mutation --sample 20         every twentieth mutant, for a quick look

Kernels run uncompiled, so a mutant is a function whose code is exchanged in a fork of this process. It is killed where a
random program gets another address, list or counter than from the naive twin, where a recording gets another address than
from Go, where a bad event is taken, where an invariant breaks, or where it never ends. Survivors are printed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

os.environ["NUMBA_DISABLE_JIT"] = "1"
os.environ.setdefault("GOALLOC_LIMITS", "pages=65536,spans=65536,slot_words=1048576,queue_places=65536,runs=65536")

from goalloc_cli.choices import Central, Pages
from goalloc_cli.design import RELEASES, Design, release
from goalloc_cli.model.check import check
from goalloc_cli.trace.event import BOUND, KIND_MASK, Kind
from goalloc_cli.trace.sniff import open_trace
from goalloc_cli.trace.trace import Header
from tests.kernels import Kernels
from tests.naive import Naive
from tests.story import events as events_of
from tests.strategies import MAX_PROCS, OFTEN_GROWN, Event, seeded
from tests.test_kernels import counters, spans, state

TRACES = Path(__file__).parent.parent / "traces"
MODEL = Path(__file__).parent.parent / "goalloc_cli" / "model"
FILES = (
    "malloc", "mcache", "mcentral", "mcentral_sets", "mcentral_lists", "sweep", "sweeper", "pagealloc", "pagealloc_radix",
    "pagealloc_treap",
)  # fmt: skip

REFUSED = (
    "alloc a 24; free a; free a", "stack s 3000", "mark; mark", "sweep", "stack s 2048; unstack s; unstack s",
    f"alloc a {64 << 30}", f"alloc a {1 << 47}",
)  # fmt: skip
"""Stories whose last event is bad, or beyond a limit."""

ANY = -2
"""The address of what has none to compare."""

SECONDS = 100
"""A mutant that takes longer never ends; the whole of the programs takes a fraction of it."""

STATES = (Kind.GC_END, Kind.FLUSH)
"""Events after which everything is compared."""

COMPARED = {ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
COUNTED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One changed place in one function."""

    file: str
    function: str
    line: int
    what: str
    code: CodeType


# What a mutant may be.


def mutants(file: str) -> Iterator[Mutant]:
    """Every mutant of a file."""
    path = MODEL / f"{file}.py"
    module = ast.parse(path.read_text())
    for function in [node for node in module.body if isinstance(node, ast.FunctionDef)]:
        function.decorator_list = []
        if isinstance(function.body[0], ast.Expr) and isinstance(function.body[0].value, ast.Constant):
            del function.body[0]
        for number, node in enumerate(ast.walk(function)):
            for what, change in changes(node):
                mutated = copy.deepcopy(function)
                change(list(ast.walk(mutated))[number])
                yield Mutant(file, function.name, node.lineno, what, code_of(mutated, path))


def code_of(function: ast.FunctionDef, path: Path) -> CodeType:
    """The code of a function."""
    module = ast.fix_missing_locations(ast.Module([function], []))
    return next(c for c in compile(module, str(path), "exec").co_consts if isinstance(c, CodeType))


def changes(node: ast.AST) -> Iterator[tuple[str, Callable[[Any], None]]]:
    """What can be changed at a node: a name, and a function that changes it."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARED:
            new = COMPARED[type(op)]
            yield f"{name(op)} -> {new.__name__}", lambda n: n.ops.__setitem__(0, new())
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in COUNTED:
            other = COUNTED[type(op)]
            yield f"{name(op)} -> {other.__name__}", lambda n: setattr(n, "op", other())
        case ast.BoolOp(op=ast.And()):
            yield "and -> or", lambda n: setattr(n, "op", ast.Or())
        case ast.BoolOp(op=ast.Or()):
            yield "or -> and", lambda n: setattr(n, "op", ast.And())
        case ast.Constant(value=int()) if not isinstance(node.value, bool):
            yield f"{node.value} -> {node.value + 1}", lambda n: setattr(n, "value", n.value + 1)
        case ast.If() | ast.While() if not isinstance(node.test, ast.Compare):
            yield "condition -> not", lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test))
    if isinstance(node, ast.FunctionDef | ast.If | ast.While | ast.For):
        for part in ("body", "orelse"):
            for i, statement in enumerate(getattr(node, part, [])):
                attribute = isinstance(statement, ast.Assign) and not isinstance(statement.targets[0], ast.Name)
                if attribute or isinstance(statement, ast.Expr | ast.AugAssign | ast.Continue | ast.Break):
                    yield f"without: {ast.unparse(statement)}", drop(part, i)


def name(node: ast.AST) -> str:
    return type(node).__name__


def drop(part: str, i: int) -> Callable[[Any], None]:
    return lambda n: getattr(n, part).__setitem__(i, ast.Pass())


# What it is held against.


@dataclass(frozen=True)
class Program:
    """A random program, and what the naive twin did."""

    label: str
    design: Design
    events: list[Event]
    addresses: list[int | None]
    states: dict[int, tuple[Any, Any]]
    header: Header | None = None
    """Of a recording."""


def programs() -> list[Program]:
    """Random programs under designs that between them take every path."""
    chosen = [("1.27", RELEASES["1.27"], 0, 30), ("1.12", RELEASES["1.12"], 0, 30)]
    chosen += [("small budget", replace(RELEASES["1.27"], span_budget=2, background_turns=0), 4, 60)]
    chosen += [(v, RELEASES[v], 1, 60) for v in ("1.27", "1.12", "1.14", "1.10")]
    chosen += [(f"{v} without sweeper", replace(RELEASES[v], background_turns=0), 3, 60) for v in ("1.27", "1.12", "1.14")]
    chosen += [("often grown", design, 2, 60) for design in OFTEN_GROWN[1:3]]
    chosen += [(v, RELEASES[v], 0, 30) for v in ("1.11", "1.13", "1.16", "1.19", "1.22")]
    random = [program(f"{label}, seed {seed}", design, seed, moves) for label, design, seed, moves in chosen]
    return [*random[:3], recorded("orders-go1.27", 1500), *random[3:]]


def concerns(file: str, design: Design) -> bool:
    """Whether a replay under this design runs through a file."""
    if file == "mcentral_lists":
        return design.central == Central.SPAN_LISTS
    if file == "mcentral_sets":
        return design.central != Central.SPAN_LISTS
    return file != "pagealloc_treap" or design.pages != Pages.BITMAP


def is_bound(event: Event) -> bool:
    """Every fifth object is said to have a size that is not known: that changes counts, and no address."""
    return event[0] & KIND_MASK == Kind.ALLOC and event[2] % 5 == 0


def program(label: str, design: Design, seed: int, moves: int) -> Program:
    """What the naive twin does in the random program `seed`."""
    events = [(event[0] | BOUND, *event[1:]) if is_bound(event) else event for event in seeded(seed, moves)]
    naive = Naive(design, MAX_PROCS)
    addresses, states = [], {}
    for i, event in enumerate(events):
        addresses.append(naive.apply(*event))
        if event[0] & KIND_MASK in STATES or i == len(events) - 1:
            states[i] = counters(naive), state(naive, spans(naive))
    return Program(label, design, events, addresses, states)


def recorded(sample: str, count: int) -> Program:
    """The first events of a recording, and the addresses that Go chose for its objects."""
    trace = open_trace(TRACES / f"{sample}.msgpack")
    first = next(trace.batches)
    rows = zip(*(getattr(first, name)[:count].tolist() for name in ("kind", "p", "id", "size", "arg", "addr")), strict=True)
    events, addresses = [], []
    for *event, addr in rows:
        events.append(tuple(event))
        addresses.append(addr if event[0] & KIND_MASK == Kind.ALLOC else ANY)
    return Program(sample, release(trace.header.go_version), events, addresses, {}, trace.header)


def refuses(text: str) -> bool:
    """Whether the kernels stop at the last event of a story."""
    kernels = Kernels(RELEASES["1.27"], MAX_PROCS)
    *good, bad = events_of(text)
    for event in good:
        kernels.apply(*event)
    try:
        kernels.apply(*bad)
    except AssertionError:
        return True
    return False


def survives(one: Program) -> bool:
    """Whether the kernels, as they are, do what the naive twin or Go itself did."""
    kernels = Kernels(one.design, MAX_PROCS) if one.header is None else Kernels.of(one.design, one.header)
    for i, event in enumerate(one.events):
        if one.addresses[i] == ANY:
            kernels.apply(*event)
        elif kernels.apply(*event) != one.addresses[i]:
            return False
        if i in one.states and (counters(kernels), state(kernels, kernels.spans())) != one.states[i]:
            return False
    used = max((event[2] for event in one.events), default=0) + 1
    return check(kernels.heap, kernels.objects[:used]) == ""


def killer(mutant: Mutant, held: list[Program]) -> str:
    """What kills a mutant; "" if it survives. Run in a fork: the code stays exchanged."""
    function = getattr(importlib.import_module(f"goalloc_cli.model.{mutant.file}"), mutant.function)
    assert isinstance(function, FunctionType)
    function.__code__ = mutant.code
    try:
        if not all(refuses(text) for text in REFUSED):
            return "a refusal"
        for one in held:
            if concerns(mutant.file, one.design) and not survives(one):
                return one.label
        return ""
    except Exception as error:
        return type(error).__name__


def judged(mutant: Mutant, held: list[Program]) -> str:
    """What kills a mutant, found out in a process of its own."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        told = killer(mutant, held)
        os.write(write, told.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        told = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return "never ends" if os.WIFSIGNALED(status) else told


def main() -> None:
    parser = argparse.ArgumentParser(description="Mutation testing of the kernels.")
    parser.add_argument("files", nargs="*", default=FILES, choices=[*FILES, []], metavar="FILE")
    parser.add_argument("--sample", type=int, default=1, metavar="N", help="every N-th mutant only")
    asked = parser.parse_args()
    held = programs()
    slow = [one.label for one in held if not survives(one)]
    if slow:
        sys.exit(f"without any mutant these fail: {slow}")
    total: Counter[bool] = Counter()
    for file in asked.files or FILES:
        found: Counter[bool] = Counter()
        started = time.monotonic()
        for mutant in list(mutants(file))[:: asked.sample]:
            killed = judged(mutant, held)
            found[bool(killed)] += 1
            if not killed:
                print(f"survives: {file}.py:{mutant.line} {mutant.function}: {mutant.what}", flush=True)
        total += found
        share = found[True] / max(found.total(), 1)
        seconds = time.monotonic() - started
        print(f"{file}: {found[True]} of {found.total()} killed, {share:.1%}, {seconds:.0f} s", flush=True)
    print(f"all: {total[True]} of {total.total()} killed, {total[True] / max(total.total(), 1):.1%}")


if __name__ == "__main__":
    main()
