"""Small mistakes in kernels: another comparison, number or operator, a condition turned, a statement left out."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from tests.kit.root import ROOT

MODEL = ROOT / "goalloc_cli" / "model"

COMPARED = {ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
COUNTED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


def module_of(file: str) -> str:
    """The full name of the module in a file of the model."""
    path = next(MODEL.rglob(f"{file}.py"))
    return ".".join(path.relative_to(MODEL.parent.parent).with_suffix("").parts)


@dataclass(frozen=True)
class Mutant:
    """One changed place in one function."""

    file: str
    function: str
    lines: range
    """Of the changed place."""
    what: str
    code: CodeType


def mutants(file: str) -> Iterator[Mutant]:
    """Every mutant of a file."""
    path = next(MODEL.rglob(f"{file}.py"))
    module = ast.parse(path.read_text())
    for function in [node for node in module.body if isinstance(node, ast.FunctionDef)]:
        function.decorator_list = []
        if isinstance(function.body[0], ast.Expr) and isinstance(function.body[0].value, ast.Constant):
            del function.body[0]
        for number, node in enumerate(ast.walk(function)):
            for what, place, change in changes(node):
                mutated = copy.deepcopy(function)
                change(list(ast.walk(mutated))[number])
                yield Mutant(file, function.name, range(place.lineno, place.end_lineno + 1), what, code_of(mutated, path))


def code_of(function: ast.FunctionDef, path: Path) -> CodeType:
    """The code of a function."""
    module = ast.fix_missing_locations(ast.Module([function], []))
    return next(c for c in compile(module, str(path), "exec").co_consts if isinstance(c, CodeType))


def changes(node: Any) -> Iterator[tuple[str, Any, Callable[[Any], None]]]:
    """What can be changed at a node: a name, the part of it that changes, and a function that changes it."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARED:
            new = COMPARED[type(op)]
            yield f"{name(op)} -> {new.__name__}", node, lambda n: n.ops.__setitem__(0, new())
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in COUNTED:
            other = COUNTED[type(op)]
            yield f"{name(op)} -> {other.__name__}", node, lambda n: setattr(n, "op", other())
        case ast.BoolOp(op=ast.And()):
            yield "and -> or", node, lambda n: setattr(n, "op", ast.Or())
        case ast.BoolOp(op=ast.Or()):
            yield "or -> and", node, lambda n: setattr(n, "op", ast.And())
        case ast.Constant(value=int()) if not isinstance(node.value, bool):
            yield f"{node.value} -> {node.value + 1}", node, lambda n: setattr(n, "value", n.value + 1)
        case ast.If() | ast.While() if not isinstance(node.test, ast.Compare):
            yield "condition -> not", node.test, lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test))
    if isinstance(node, ast.FunctionDef | ast.If | ast.While | ast.For):
        for part in ("body", "orelse"):
            for i, statement in enumerate(getattr(node, part, [])):
                attribute = isinstance(statement, ast.Assign) and not isinstance(statement.targets[0], ast.Name)
                if attribute or isinstance(statement, ast.Expr | ast.AugAssign | ast.Continue | ast.Break):
                    yield f"without: {ast.unparse(statement)}", statement, drop(part, i)


def name(node: ast.AST) -> str:
    """The name of an operator."""
    return type(node).__name__


def drop(part: str, i: int) -> Callable[[Any], None]:
    """Leaves out statement `i` of a part of a node."""
    return lambda n: getattr(n, part).__setitem__(i, ast.Pass())
