"""Compiled code as a file, and as something to call: without the compiler, which takes a quarter of a second to load.

A file is a line of text (`HEAD`, what is returned, the name of the function, the SHA-256 of the rest) and an object file for
this processor. To load it is to run it: `keeping.py` says which folders are ours alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from goalloc_cli.compiled.calls import NOTHING, RETURNED, Flat, Kind, name_of, words
from goalloc_cli.compiled.compiling import compiling
from goalloc_cli.compiled.keeping import SUFFIX, can_keep, open_for_write

HEAD = "goalloc code 1"


class Code:
    """A kernel for arguments of some types."""

    def __init__(self, address: int, returned: str, kinds: Sequence[Kind]) -> None:
        self.returned = [] if returned == NOTHING else returned.split(",")
        # Numba's own convention: where to put what is returned, where to say what was raised (nothing is), the arguments.
        fields = [(f"at{i}", RETURNED[name]) for i, name in enumerate(self.returned)]
        self.place = type("Returned", (ctypes.Structure,), {"_fields_": fields})
        prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *words(kinds))
        self.call: Callable[..., int] = prototype(address)

    def __call__(self, flat: Flat) -> Any:
        place, raised = self.place(), ctypes.c_void_p()
        status = self.call(ctypes.addressof(place), ctypes.addressof(raised), *flat)
        if status > 0:
            raise RuntimeError(f"a kernel failed ({status})")
        found = [getattr(place, f"at{i}") for i in range(len(self.returned))]
        values = [bool(value) if name == "bool" else value for name, value in zip(self.returned, found, strict=True)]
        return tuple(values) if len(values) > 1 else values[0] if values else None


def ready(function: Callable[..., Any], arguments: tuple[Any, ...], kinds: tuple[Kind, ...], folder: Path) -> Code:
    """The code of a kernel: from the folder, or compiled now and put there as far as that can be read and written."""
    keeps = can_keep(folder)
    name = hashlib.sha256(f"{processor()} {name_of(kinds)}".encode()).hexdigest()[:16]
    path = folder / f"{function.__module__.removeprefix('goalloc_cli.')}.{function.__name__}-{name}{SUFFIX}"
    kept = read(path) if keeps else None
    if kept is None:
        kept = build(function, arguments, kinds)
        if keeps:
            try:
                write(path, *kept)
            except OSError as error:
                compiling.cannot_keep(str(folder), error)
    returned, symbol, code = kept
    return Code(load(symbol, code), returned, kinds)


def build(function: Callable[..., Any], arguments: tuple[Any, ...], kinds: tuple[Kind, ...]) -> tuple[str, str, bytes]:
    """Compile a kernel; say so, and how long it took."""
    compiling.begin(function.__module__)
    started = time.perf_counter()
    try:
        from goalloc_cli.compiled.building import build as compiled

        return compiled(function, arguments)
    finally:
        compiling.seconds += time.perf_counter() - started


def read(path: Path) -> tuple[str, str, bytes] | None:
    """What a file holds; None where there is none, or it is damaged."""
    try:
        head, _, code = path.read_bytes().partition(b"\n")
        kind, returned, symbol, digest = head.decode().split("\t")
    except (OSError, ValueError):
        return None
    return (returned, symbol, code) if (kind, digest) == (HEAD, hashlib.sha256(code).hexdigest()) else None


def write(path: Path, returned: str, symbol: str, code: bytes) -> None:
    """Keep the code of a kernel."""
    with open_for_write(str(path)) as file:
        file.write("\t".join((HEAD, returned, symbol, hashlib.sha256(code).hexdigest())).encode() + b"\n" + code)


@cache
def processor() -> str:
    """What code is compiled for: the processor and all that it can do, and what tells the compiler another one."""
    from llvmlite import binding

    told = [os.environ.get(name, "") for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")]
    return " ".join(
        (binding.get_process_triple(), binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten(), *told)
    )


@cache
def engine() -> Any:
    """What places code in memory."""
    from llvmlite import binding

    with contextlib.suppress(RuntimeError):  # no need to: newer ones do it by themselves
        binding.initialize()
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple().create_target_machine(jit=True)
    return binding.create_mcjit_compiler(binding.parse_assembly(""), target)


def load(symbol: str, code: bytes) -> int:
    """Place code in memory; return where its function is."""
    from llvmlite import binding

    place = engine()
    place.add_object_file(binding.ObjectFileRef.from_data(code))
    place.finalize_object()
    return int(place.get_function_address(symbol))
