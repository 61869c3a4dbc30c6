"""Compile a kernel with numba, and all that it reaches, into one object file."""

# mypy: allow-untyped-defs
# (Numba has no types of its own.)

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.base import BaseContext
from numba.core.codegen import CPUCodeLibrary, JITCPUCodegen
from numba.core.compiler import CompileResult
from numba.core.registry import cpu_target
from numba.np import arrayobj
from numba.np.numpy_support import from_dtype

from goalloc_cli.compiled import operations
from goalloc_cli.compiled.calls import ARRAY, BOOLEAN, FLOAT, INTEGER, NOTHING, RECORD, RETURNED, UNSIGNED, flatten

OPTIONS = {"nogil": True, "error_model": "numpy", "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Of every function. Without `_nrt` no reference to an array is counted, and none can be made."""
NUMBERS = {INTEGER: types.int64, UNSIGNED: types.uint64, BOOLEAN: types.boolean, FLOAT: types.float64}
ELSEWHERE = {"memset", "memcpy", "memmove", "log", "log2", "exp", "exp2", "pow", "sqrt", "floor", "ceil", "round", "fmod"}
"""What compiled code may call that is not in it: functions of C's own library."""


def build(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[str, str, bytes]:
    """Compile a kernel for arguments such as these.

    Returns:
        What it returns (numba's names, with commas), the name of its function, and an object file for this processor.

    Raises:
        NotImplementedError: it needs something that no object file has in it.
    """
    dispatcher = numba.njit(**OPTIONS)(function)
    taken = tuple(type_of(argument) for argument in arguments)
    dispatcher.compile(taken)
    result = dispatcher.overloads[taken]
    library = result.library
    needs = {f.name for f in library._final_module.functions if f.is_declaration and not f.name.startswith("llvm.")}
    if needs - ELSEWHERE:
        raise NotImplementedError(f"{function.__module__}.{function.__name__} needs {', '.join(sorted(needs - ELSEWHERE))}")
    return name_of(result.signature.return_type), result.fndesc.llvm_func_name, library._get_compiled_object()


def type_of(argument: Any) -> types.Type:
    """The type that a kernel is compiled for when called with an argument (`calls.flatten`)."""
    if isinstance(argument, tuple):
        return types.BaseTuple.from_types([type_of(part) for part in argument], type(argument))
    kinds: list[Any] = []
    flatten((argument,), kinds, [])
    kind = kinds[0]
    if kind[0] == ARRAY:
        _, dtype, ndim, is_contiguous, is_writable, is_aligned = kind
        layout = "C" if is_contiguous else "A"
        return types.Array(from_dtype(dtype), ndim, layout, readonly=not is_writable, aligned=is_aligned)
    if kind[0] == RECORD:
        return from_dtype(np.dtype(kind[1]))
    return NUMBERS[kind]


def name_of(returned: types.Type) -> str:
    """What a kernel returns, for `machine.Code`."""
    if returned == types.none:
        return NOTHING
    parts: Sequence[types.Type] = returned.types if isinstance(returned, types.BaseTuple) else (returned,)
    names = [str(numba.core.types.unliteral(part)) for part in parts]
    if not set(names) <= set(RETURNED):
        raise NotImplementedError(f"a kernel returns {returned}")
    return ",".join(names)


# Inner kernels


def type_of_inner(function: Callable[..., Any], options: dict[str, Any]) -> types.Type:
    """The type of an inner kernel, as numba knows functions.

    Numba compiles a function anew for each combination of argument types, and takes every literal and every width of integer
    for a type of its own. Inner kernels know two: int64, and uint64 for bitmap words.
    """
    options = dict(options)
    if options.pop("apart", False):
        _APART.add((function.__module__, function.__qualname__))
    # A function that says nothing of forceinline has it from the caller that it is compiled for.
    dispatcher = numba.njit(**OPTIONS, **{"forceinline": False, **options})(function)
    template = dispatcher.get_call_template

    def get_call_template(args, kws):
        _Linking.depth += 1
        try:
            return template(tuple(plain(a) for a in args), kws)
        finally:
            _Linking.depth -= 1

    dispatcher.get_call_template = get_call_template
    _DISPATCHERS.append(dispatcher)
    return types.Dispatcher(dispatcher)


def type_of_operation(name: str) -> types.Type:
    """The type of an operation of the processor."""
    return cpu_target.typing_context.resolve_value_type(getattr(operations, name))


def plain(kind: types.Type) -> types.Type:
    """The type that an inner kernel is compiled for when called with `kind`: one for all integers."""
    if isinstance(kind, (types.Integer, types.IntegerLiteral)) and kind != types.uint64:
        return types.int64
    return kind


class _Linking:
    """How many inner kernels are being compiled, one inside the other."""

    depth = 0


_APART: set[tuple[str, str]] = set()
_DISPATCHERS: list[Any] = []
"""All that were made: their types do not keep them."""


# How numba compiles, from here on


def short_name(record: types.Record) -> tuple[str, tuple[()]]:
    """A record type's part of a symbol: by default every column of every table, for every kernel, in every symbol."""
    return f"Record{hashlib.sha256(record.name.encode()).hexdigest()[:8]}", ()


def as_it_is(context, builder, kind, at, size):
    """Compile indices as they are: only a constant can count from the end, no kernel asks whether a variable is below 0."""
    if kind.signed and isinstance(at, ir.Constant):
        return fix_index(context, builder, kind, at, size)
    return context.cast(builder, at, kind, types.intp)


def finalize(library: CPUCodeLibrary) -> None:
    """Close a library of compiled code.

    Numba optimizes each function with everything that it calls, and again in each of its callers. An inner kernel is never
    run by itself, so here its library is only closed; a kernel takes in all that it reaches, and is optimized once, whole.
    """
    if _Linking.depth:
        library._finalized = True
        return
    reached = dict.fromkeys(library._linking_libraries)
    waiting = list(reached)
    while waiting:
        for below in waiting.pop()._linking_libraries:
            if below not in reached:
                reached[below] = None
                waiting.append(below)
    library._linking_libraries = list(reached)
    close(library)


def set_env(codegen: JITCPUCodegen, name: str, env: object) -> None:
    """Tell nobody where Python objects are: kernels have none."""


def no_environments(result: CompileResult) -> list[object]:
    """What a kernel keeps of the Python objects of those linked into it: nothing, they use none."""
    return []


def declare_function(context, module, descriptor):
    """Declare a compiled function; those that stand apart say so."""
    function = declare(context, module, descriptor)
    if (descriptor.modname, descriptor.qualname) in _APART:
        function.attributes.add("noinline")
    return function


fix_index, close, declare = arrayobj.fix_integer_index, CPUCodeLibrary.finalize, BaseContext.declare_function
types.Record.mangling_args = property(short_name)
# Numba writes types out again and again, and a heap's takes 40 KB: a fifth of all the time that compiling took.
types.Record.__repr__ = lambda record: short_name(record)[0]
arrayobj.fix_integer_index = as_it_is
CPUCodeLibrary.finalize = finalize
JITCPUCodegen.set_env = set_env
CompileResult._find_referenced_environments = no_environments
BaseContext.declare_function = declare_function
