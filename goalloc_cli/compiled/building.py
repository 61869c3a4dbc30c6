"""Compile a kernel with numba, and all that it reaches but for units, into one object file."""

# mypy: allow-untyped-defs
# (Numba has no types of its own.)

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.codegen import CPUCodeLibrary, JITCPUCodegen
from numba.core.compiler import CompileResult
from numba.core.postproc import PostProcessor, VariableLifetime
from numba.core.registry import cpu_target
from numba.core.transforms import canonicalize_cfg
from numba.extending import intrinsic
from numba.np import arrayobj
from numba.np.numpy_support import from_dtype

from goalloc_cli.compiled import operations
from goalloc_cli.compiled.calls import ARRAY, BOOLEAN, FLOAT, INTEGER, NOTHING, RECORD, RETURNED, UNSIGNED, Kind
from goalloc_cli.compiled.units import Built, Part, returned_by

OPTIONS = {"nogil": True, "error_model": "numpy", "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Of every function. Without `_nrt` no reference to an array is counted, and none can be made."""
NUMBERS = {INTEGER: types.int64, UNSIGNED: types.uint64, BOOLEAN: types.boolean, FLOAT: types.float64}
RARE = {"opt": 2, "loop_vectorize": False, "slp_vectorize": False}
"""How units are optimized, through which few events run: it takes a fifth less time."""
ELSEWHERE = {"memset", "memcpy", "memmove", "log", "log2", "exp", "exp2", "pow", "sqrt", "floor", "ceil", "round", "fmod"}
"""What compiled code may call that is not in it, beside units: functions of C's own library."""


def build(part: Part) -> Built:
    """Compile a kernel or a unit.

    Raises:
        NotImplementedError: it needs something that no object file has in it.
    """
    dispatcher = numba.njit(**OPTIONS)(part.found.function)
    taken = tuple(types_of(list(part.kinds)))
    dispatcher.compile(taken)
    result = dispatcher.overloads[taken]
    library = result.library
    module = library._final_module
    for below in reached(library):
        module.link_in(below._final_module, preserve=True)
    for function in module.functions:
        if function.name == result.fndesc.llvm_func_name:
            function.name = part.symbol
        elif not function.is_declaration:
            function.linkage = "internal"
    optimize(library, RARE if hasattr(part.found, "part") else {})
    outside = {f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")}
    if missing := sorted(outside - ELSEWHERE - set(_UNITS)):
        raise NotImplementedError(f"{part.module}.{part.name} needs {', '.join(missing)}")
    calls = tuple((_UNITS[name].module, _UNITS[name].name) for name in sorted(outside & set(_UNITS)))
    returned = name_of(result.signature.return_type)
    told = returned_by(part.found.function) if hasattr(part.found, "part") else returned
    if returned != told or not set(returned.split(",")) <= {NOTHING, *RETURNED}:
        raise NotImplementedError(f"{part.module}.{part.name} returns {returned}, not {told}")
    return Built(returned, calls, library.codegen._tm.emit_object(module))


def optimize(library: CPUCodeLibrary, how: dict[str, Any]) -> None:
    """Optimize the code of a library, once. (Numba does it twice, to count fewer references; here none is counted.)"""
    made = library.codegen._module_pass_manager(**how)
    passes, *builder = made if isinstance(made, tuple) else (made,)
    passes.run(library._final_module, *builder)


def reached(library: CPUCodeLibrary) -> list[CPUCodeLibrary]:
    """All libraries that one needs, each once."""
    found = dict.fromkeys(library._linking_libraries)
    waiting = list(found)
    while waiting:
        for below in waiting.pop()._linking_libraries:
            if below not in found:
                found[below] = None
                waiting.append(below)
    return list(found)


def types_of(kinds: list[Kind]) -> list[types.Type]:
    """The types that a kernel is compiled for (`calls.flatten`). What is read of `kinds` is taken out."""
    found: list[types.Type] = []
    while kinds:
        found.append(next_type(kinds))
    return found


def next_type(kinds: list[Kind]) -> types.Type:
    """The type of the first argument, which is taken out."""
    kind = kinds.pop(0)
    if isinstance(kind, str):
        return NUMBERS[kind]
    if kind[0] == ARRAY:
        _, dtype, ndim, is_contiguous, is_writable, is_aligned = kind
        layout = "C" if is_contiguous else "A"
        return types.Array(from_dtype(dtype), ndim, layout, readonly=not is_writable, aligned=is_aligned)
    if kind[0] == RECORD:
        return from_dtype(np.dtype(kind[1]))
    return types.BaseTuple.from_types([next_type(kinds) for _ in range(kind[1])], kind[0])


def name_of(returned: types.Type) -> str:
    """What a kernel returns (`Built.returned`)."""
    if returned == types.none:
        return NOTHING
    parts: Sequence[types.Type] = returned.types if isinstance(returned, types.BaseTuple) else (returned,)
    return ",".join(str(types.unliteral(part)) for part in parts)


# What kernels call


def type_of_inner(function: Callable[..., Any], options: dict[str, Any]) -> types.Type:
    """The type of an inner kernel, as numba knows functions.

    Numba compiles a function anew for each combination of argument types, and takes every literal and every width of integer
    for a type of its own. Inner kernels know two: int64, and uint64 for bitmap words.
    """
    # A function that says nothing of forceinline has it from the caller that it is compiled for.
    dispatcher = numba.njit(**OPTIONS, **{"forceinline": False, **options})(function)
    template = dispatcher.get_call_template
    dispatcher.get_call_template = lambda args, kws: template(tuple(plain(a) for a in args), kws)
    _DISPATCHERS.append(dispatcher)
    return types.Dispatcher(dispatcher)


def plain(kind: types.Type) -> types.Type:
    """The type that an inner kernel is compiled for when called with `kind`: one for all integers."""
    if isinstance(kind, (types.Integer, types.IntegerLiteral)) and kind != types.uint64:
        return types.int64
    return kind


def type_of_operation(name: str) -> types.Type:
    """The type of an operation of the processor."""
    return cpu_target.typing_context.resolve_value_type(getattr(operations, name))


def type_of_unit(function: Callable[..., Any], part: Part) -> types.Type:
    """The type of a unit: its code is elsewhere, under the name of its symbol."""
    taken, name = types_of(list(part.kinds)), returned_by(function)
    parts = [] if name == NOTHING else [types.boolean if each == "bool" else types.int64 for each in name.split(",")]
    returned = types.BaseTuple.from_types(parts) if len(parts) > 1 else parts[0] if parts else types.none

    def call(context, builder, signature, args):
        kind = context.call_conv.get_function_type(returned, taken)
        there = cgutils.get_or_insert_function(builder.module, kind, part.symbol)
        _, found = context.call_conv.call_function(builder, there, returned, taken, args)
        return context.get_dummy_value() if returned == types.none else found

    def unit(typingctx, *args):
        return returned(*taken), call

    context = inspect.Parameter("typingctx", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    unit.__signature__ = inspect.Signature([context, *inspect.signature(function).parameters.values()])  # type: ignore[attr-defined]
    _UNITS[part.symbol] = part
    operation = intrinsic(unit)
    cpu_target.typing_context.refresh()  # which did not know of it
    return cpu_target.typing_context.resolve_value_type(operation)


_DISPATCHERS: list[Any] = []
"""All that were made: their types do not keep them."""
_UNITS: dict[str, Part] = {}
"""Those that were met, by symbol."""


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

    Numba optimizes each function with all that it calls, and again in each of its callers. Here a kernel or unit takes in
    all that it reaches, and is optimized once, whole (`build`).
    """
    library._finalized = True


def set_env(codegen: JITCPUCodegen, name: str, env: object) -> None:
    """Tell nobody where Python objects are: kernels have none."""


def no_environments(result: CompileResult) -> list[object]:
    """What a kernel keeps of the Python objects of those linked into it: nothing, they use none."""
    return []


def call_type(function, context, args, kws):
    """The signature of a call of one of numba's own functions, such as `+`: found once for the types of its arguments, where
    numba asks dozens of templates anew at each place. A fifth of all the time that compiling took."""
    key = (function, args, tuple(kws.items()))
    if key not in _SIGNATURES:
        _SIGNATURES[key] = find_call_type(function, context, args, kws)
    return _SIGNATURES[key]


def process(processor: PostProcessor, emit_dels: bool = False, **more: bool) -> None:
    """What numba does to a function after most of its passes, but for finding out which variables live where each block
    begins: it does so nine times for each function, and only generators and Python's own objects need it."""
    function = processor.func_ir
    if function.is_generator:
        process_all(processor, emit_dels, **more)
        return
    function.blocks = canonicalize_cfg(function.blocks)
    function.variable_lifetime = VariableLifetime(function.blocks)
    function.generator_info = None
    if emit_dels:
        processor._insert_var_dels(**more)


_SIGNATURES: dict[Any, Any] = {}
"""Of calls of numba's own functions."""
find_call_type, process_all = types.Function.get_call_type, PostProcessor.run
fix_index = arrayobj.fix_integer_index
types.Record.mangling_args = property(short_name)
# Numba writes types out again and again, and a heap's takes 40 KB: a fifth of all the time that compiling took.
types.Record.__repr__ = lambda record: short_name(record)[0]
types.Function.get_call_type, PostProcessor.run = call_type, process
arrayobj.fix_integer_index = as_it_is
CPUCodeLibrary.finalize = finalize
JITCPUCodegen.set_env = set_env
CompileResult._find_referenced_environments = no_environments
