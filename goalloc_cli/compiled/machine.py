"""Compiled code as a file, and as something to call: without the compiler, which takes a quarter of a second to load.

To load code is to run it: `keeping.py` says which folders are ours alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from goalloc_cli.compiled.calls import NOTHING, RETURNED, Flat, Kind, words
from goalloc_cli.compiled.compiling import compiling
from goalloc_cli.compiled.keeping import SUFFIX, can_keep, compiled_folder, open_for_write
from goalloc_cli.compiled.units import Built, Part, parts_ahead, units_below, unpacked


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
            # Nothing else can be raised, and this only where NUMBA_BOUNDSCHECK=1 has it checked.
            raise IndexError("an index is out of range in a kernel")
        found = [getattr(place, f"at{i}") for i in range(len(self.returned))]
        values = [bool(value) if name == "bool" else value for name, value in zip(self.returned, found, strict=True)]
        return tuple(values) if len(values) > 1 else values[0] if values else None


IN_MEMORY: dict[Part, Built] = {}
"""What was compiled in this process, or read."""
ONE_AT_A_TIME = threading.Lock()
LOADED: set[Part] = set()
"""What is placed in memory."""


def ready(part: Part) -> Code:
    """The code of a kernel: from its file, or compiled now, and kept as far as files can be read and written."""
    with ONE_AT_A_TIME:
        return placed(part)


def placed(part: Part) -> Code:
    """The same, by one thread at a time."""
    if kept(part) is None:
        build([part, *units_below(part)])
    place, waiting = engine(), [part]
    while waiting:
        at = waiting.pop()
        if at in LOADED:
            continue
        if (built := kept(at)) is None:  # its file is damaged, or gone
            build([at])
            built = IN_MEMORY[at]
        place.add_object_file(object_file(built.code))
        LOADED.add(at)
        waiting += [Part(module, name, ()).found.part for module, name in built.calls]
    place.finalize_object()
    found = kept(part)
    assert found is not None
    return Code(int(place.get_function_address(part.symbol)), found.returned, part.kinds)


def kept(part: Part) -> Built | None:
    """What is compiled of a kernel or unit; None where nothing is."""
    if part not in IN_MEMORY and can_keep(folder_of(part)) and (built := read(path_of(part))) is not None:
        IN_MEMORY[part] = built
    return IN_MEMORY.get(part)


def build(parts: list[Part]) -> None:
    """Compile the first of these, and those of the others that are not kept; say so, and how long it took."""
    compiling.begin(parts[0].module)
    started = time.perf_counter()
    try:
        from goalloc_cli.compiled.crew import crew

        crew.build_all(parts, parts_ahead(), lambda part: kept(part) is not None, keep)
    finally:
        compiling.seconds += time.perf_counter() - started


def keep(part: Part, built: Built) -> None:
    """Take in what was compiled."""
    if can_keep(folder_of(part)):
        try:
            write(path_of(part), built)
        except OSError as error:
            compiling.cannot_keep(str(folder_of(part)), error)
    IN_MEMORY[part] = built


def folder_of(part: Part) -> Path:
    """Where the code of a kernel or unit is kept."""
    return compiled_folder(part.module.split(".")[1])


def path_of(part: Part) -> Path:
    """The file of a kernel or unit for this processor."""
    return folder_of(part) / f"{part.symbol.removeprefix('goalloc_cli.')}-{processor()}{SUFFIX}"


def read(path: Path) -> Built | None:
    """What a file holds; None where there is none, or it is damaged."""
    try:
        return unpacked(path.read_bytes())
    except OSError:
        return None


def write(path: Path, built: Built) -> None:
    """Keep what is compiled of a kernel or unit."""
    with open_for_write(str(path)) as file:
        file.write(built.packed())


@cache
def processor() -> str:
    """A name for what code is compiled for: the processor, all that it can do, and what tells the compiler another one."""
    from llvmlite import binding

    told = [os.environ.get(name, "") for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")]
    found = (binding.get_process_triple(), binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten())
    return hashlib.sha256(" ".join((*found, *told)).encode()).hexdigest()[:8]


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


def object_file(code: bytes) -> Any:
    """An object file as the engine takes it."""
    from llvmlite import binding

    return binding.ObjectFileRef.from_data(code)
