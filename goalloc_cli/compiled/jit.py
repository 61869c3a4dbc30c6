"""`kernel` and `inner`: the decorators of compiled functions. Where what they compile is kept says `keeping.py`."""

from __future__ import annotations

import contextlib
import hashlib
import time
from pathlib import Path

import numba
from llvmlite import ir
from numba.core import event, types
from numba.core.base import BaseContext
from numba.core.codegen import CPUCodeLibrary, JITCPUCodegen
from numba.core.compiler import CompileResult
from numba.core.runtime import rtsys

from goalloc_cli.compiled.compiling import compiling
from goalloc_cli.compiled.keeping import PACKAGE, can_keep, compiled_folder, open_for_write


def short_name(record: types.Record) -> tuple[str, tuple[()]]:
    """A record type's part of a symbol: by default every column of every table, for every kernel, in every symbol."""
    return f"Record{hashlib.sha256(record.name.encode()).hexdigest()[:8]}", ()


types.Record.mangling_args = property(short_name)
# Numba writes types out again and again, and a heap's takes 40 KB: a fifth of all the time that compiling took.
types.Record.__repr__ = lambda record: short_name(record)[0]


def count_from_the_front() -> None:
    """Compile indices as they are: only a constant can count from the end, no kernel asks whether a variable is below 0."""
    from numba.np import arrayobj

    fix_index = arrayobj.fix_integer_index

    def as_it_is(context, builder, kind, at, size):
        if kind.signed and isinstance(at, ir.Constant):
            return fix_index(context, builder, kind, at, size)
        return context.cast(builder, at, kind, types.intp)

    arrayobj.fix_integer_index = as_it_is


def plain(kind: types.Type) -> types.Type:
    """The type that a kernel is compiled for when called with `kind`: one for all integers."""
    if isinstance(kind, (types.Integer, types.IntegerLiteral)) and kind != types.uint64:
        return types.int64
    return kind


class Watch(event.Listener):
    """Tells when compiling begins, and counts the seconds that it takes."""

    def __init__(self) -> None:
        self.started: list[float] = []
        self.compiles = False

    def on_start(self, event: event.Event) -> None:
        """A function is about to be compiled, maybe for another that is."""
        if not self.compiles:
            self.compiles = True
            count_from_the_front()
        if not self.started:
            compiling.begin(event.data["dispatcher"].py_func.__module__)
        self.started.append(time.perf_counter())

    def on_end(self, event: event.Event) -> None:
        """It is compiled."""
        started = self.started.pop()
        if not self.started:
            compiling.seconds += time.perf_counter() - started


event.register("numba:compile", Watch())


def kernel(function):
    """A compiled function that Python calls. It is compiled at its first call, and kept for later runs."""
    return kept(function, nogil=True, error_model="numpy")


def bare(function):
    """As `kernel`, for functions that only read and write the arrays they are given: no reference to an array is counted.

    Handing thirty arrays to small functions costs 600 ns an event otherwise, and 15 ns so.
    """
    return kept(function, nogil=True, error_model="numpy", _nrt=False)


def kept(function, **options):
    """`function`, compiled at its first call, from the cache or into it as far as that can be read and written."""
    folder = compiled_folder(Path(function.__code__.co_filename).relative_to(PACKAGE).parts[0])
    if numba.config.DISABLE_JIT or not can_keep(folder):
        return numba.njit(**options)(function)
    numba.config.CACHE_DIR = str(folder)
    dispatcher = numba.njit(cache=True, **options)(function)
    store = dispatcher._cache
    if not Path(store.cache_path).is_relative_to(folder):  # numba looks for another place where one cannot be had
        return numba.njit(**options)(function)
    store._cache_file._open_for_write = open_for_write
    save = store.save_overload

    def load_overload(sig, target_context):
        try:
            # Not store.load_overload: that first loads all that numba knows of types, 0.2 s, and only compiling needs it.
            rtsys.initialize(target_context)
            return store._load_overload(sig, target_context)
        except Exception:  # a file that is damaged, or can no longer be read: whatever unpickling makes of it
            with contextlib.suppress(OSError):
                store.flush()
            return None

    def save_overload(sig, data):
        try:
            save(sig, data)
        except OSError as error:
            compiling.cannot_keep(str(folder), error)

    store.load_overload, store.save_overload = load_overload, save_overload
    template = dispatcher.get_call_template

    def get_call_template(args, kws):
        # It is whole by itself, even where an inner kernel that is being compiled calls it.
        depth, _Linking.depth = _Linking.depth, 0
        try:
            return template(args, kws)
        finally:
            _Linking.depth = depth

    dispatcher.get_call_template = get_call_template
    return dispatcher


class _Linking:
    """How many inner kernels are being compiled, one inside the other."""

    depth = 0


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
    """Tell a kernel where its Python objects are; an inner kernel has none, as when it comes from the cache."""
    if not _Linking.depth:
        tell_env(codegen, name, env)


def no_environments(result: CompileResult) -> list[object]:
    """What a kernel keeps of the Python objects of those linked into it: nothing, they use none."""
    return []


close = CPUCodeLibrary.finalize
CPUCodeLibrary.finalize = finalize
tell_env = JITCPUCodegen.set_env
JITCPUCodegen.set_env = set_env
CompileResult._find_referenced_environments = no_environments


def part(function):
    """An inner kernel that, as `bare`, only reads and writes the arrays it is given: a part of those that need it."""
    return inner(function, _nrt=False)


def hot(function):
    """An inner kernel that is written out in each of its callers: for what nearly every event runs through."""
    return inner(function, forceinline=True)


def apart(function):
    """An inner kernel that is never written out in its callers: for what few events need, beside what all run through."""
    _APART.add((function.__module__, function.__qualname__))
    return inner(function)


_APART: set[tuple[str, str]] = set()


def declare_function(context, module, descriptor):
    """Declare a compiled function; those that stand apart say so."""
    function = declare(context, module, descriptor)
    if (descriptor.modname, descriptor.qualname) in _APART:
        function.attributes.add("noinline")
    return function


declare = BaseContext.declare_function
BaseContext.declare_function = declare_function


def inner(function, **options):
    """A compiled function that only kernels call. It is compiled into them.

    Numba compiles a function anew for each combination of argument types, and takes every literal and every width of integer
    for a type of its own. Inner kernels know two: int64, and uint64 for bitmap words.
    """
    if numba.config.DISABLE_JIT:
        return function
    # A function that says nothing of forceinline has it from the caller that it is compiled for.
    options = {"forceinline": False, **options, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    dispatcher = numba.njit(nogil=True, error_model="numpy", **options)(function)
    template = dispatcher.get_call_template

    def get_call_template(args, kws):
        _Linking.depth += 1
        try:
            return template(tuple(plain(a) for a in args), kws)
        finally:
            _Linking.depth -= 1

    dispatcher.get_call_template = get_call_template
    return dispatcher
