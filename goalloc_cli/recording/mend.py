"""A Go runtime whose recordings of allocations are whole, and hold, asked for, every size and call stack.

As Go is, recordings break. An event is written on the goroutine's own stack. If that must grow while the M takes a new
buffer, the runtime writes of the new stack through the same M, which takes a new buffer for that; the outer event then
puts the old buffer into the queue of full ones once more (runtime/tracebuf.go, refill). On the system stack nothing grows.

The text of the runtime is changed in few places, each found by what stands there. Where something else stands the whole
is refused: a runtime that is half understood is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import Enum
from textwrap import indent

KEY = "goalloc"
"""How the key of a message begins that tells of an allocation; the release follows (`trace.Log(ctx, key, "")` in Go)."""

ALLOC_EVENT = re.compile(
    r"\t(?P<write>tl\.eventWriter\([\w., ]+\)\.\w+\((?:tracev2\.)?\w*Ev)HeapObjectAlloc, traceHeapObjectID\(addr\), "
    r"tl\.rtype\(typ\)\)\n"
)
"""The one line of HeapObjectAlloc."""
PACKED = re.compile(r"(?P<release>\t+mp\.mallocing = 0\n\t+releasem\(mp\)\n)(?P<indent>\t+)return x\n")
"""Where mallocgc returns a tiny object that was packed into an open block."""
PACKED_EVENT = """\
if debug.malloc && traceAllocFreeEnabled() {
	if trace := traceAcquire(); trace.ok() {
		trace.HeapObjectAlloc(uintptr(x), typ)
		traceRelease(trace)
	}
}
"""
STACK = """
// goallocStack returns the stack of an allocation. Calls on the system stack stand above those of the goroutine.
func (tl traceLocker) goallocStack(system bool) traceArg {
	if !system {
		return tl.stack(1)
	}
	var pcs [128]uintptr
	pcs[0] = logicalStackSentinel
	n := 1 + callers(1, pcs[1:64])
	if gp := getg().m.curg; gp != nil {
		n += max(gcallers(gp, 0, pcs[n:])-1, 0) // skip runtime.goexit
	}
	return traceArg(trace.stackTab[tl.gen%2].put(pcs[:n]))
}
"""
"""Go writes the stack of the goroutine that the system stack works for; a heap profile has what the system stack shows."""
STACKS = "tracestack.go"
MAIN_SKIPPED = "\tif nstk > 0 && gp.goid == 1 {\n\t\tnstk-- // skip runtime.main\n\t}\n"
"""The main goroutine's stacks end with main.main in a recording, and with runtime.main in a profile."""
SIZE_CHANGED = re.compile(r"\bsize [-+*]?= ")


class Detail(Enum):
    """What a recording holds of an allocation beside its address and its type."""

    NOTHING = "nothing"
    SIZES = "sizes"
    STACKS = "stacks"
    """The call stack, and the size."""


class UnlikeError(ValueError):
    """A runtime that does not look as expected; the message names the file and the function."""


Read = Callable[[str], str]
"""The text of a file of the runtime, by its name."""


def mended(read: Read, names: Iterable[str], release: str, detail: Detail) -> dict[str, str]:
    """The files of the runtime that are changed, by name.

    Args:
        read: gives the text of a file.
        names: all files of the package runtime.
        release: of the toolchain, as it says it ("go1.27.3").
        detail: what is written of an allocation.

    Raises:
        UnlikeError: a function is not as expected.
        OSError: a file cannot be read.
    """
    allocators = sorted(name for name in names if re.fullmatch(r"malloc\w*(?<!_test)\.go", name))
    stacks = [STACKS] if detail is Detail.STACKS else []
    before = {name: read(name) for name in ("tracebuf.go", "traceallocfree.go", *stacks, *allocators)}
    after = before | {
        "tracebuf.go": changed(before, "tracebuf.go", "ensure", refilled_on_system_stack),
        "traceallocfree.go": changed(before, "traceallocfree.go", "HeapObjectFree", on_system_stack),
    }
    after["traceallocfree.go"] = changed(after, "traceallocfree.go", "HeapObjectAlloc", on_system_stack)
    after["malloc.go"] = changed(after, "malloc.go", "mallocgc", packed_is_told)
    if detail is not Detail.NOTHING:
        after["traceallocfree.go"] = changed(
            after, "traceallocfree.go", "HeapObjectAlloc", lambda text: described(text, release, detail)
        )
        after |= {name: sized(name, after[name]) for name in allocators}
        if not any("HeapObjectAlloc(uintptr(x), typ, " in after[name] for name in allocators):
            raise UnlikeError("no function of malloc*.go calls HeapObjectAlloc as expected")
    if stacks:
        after[STACKS] = changed(after, STACKS, "makeTraceFrame", named_in_full)
        after[STACKS] = changed(after, STACKS, "traceStack", with_main)
    return {name: text for name, text in after.items() if text != before[name]}


def changed(texts: dict[str, str], file: str, function: str, edit: Callable[[str], str | None]) -> str:
    """The text of a file with one function edited; the edit returns None for a function that it does not know."""
    text = texts[file]
    found = list(functions(text, function))
    new = edit(found[0][0]) if len(found) == 1 else None
    if new is None:
        raise UnlikeError(f"{file}: the function {function} is not as expected")
    return text[: found[0].start()] + new + text[found[0].end() :]


def functions(text: str, name: str = r"\w+") -> Iterable[re.Match[str]]:
    """The functions and methods of a file, each with its whole text."""
    return re.finditer(rf"^func (?:\([^)\n]*\) )?{name}\([^\n]*{{\n.*?^}}\n", text, re.MULTILINE | re.DOTALL)


def refilled_on_system_stack(ensure: str) -> str | None:
    """A new buffer is taken on the system stack, whatever event asks for it.

    The buffer alone is assigned: of a whole traceWriter that would need a write barrier, which is not allowed here.
    """
    mended = r"\1systemstack(func() { w.traceBuf = \2.traceBuf })"
    new, count = re.subn(r"^(\t+)w = (w\.refill\(\w*\))$", mended, ensure, flags=re.MULTILINE)
    return new if count == 1 else None


def on_system_stack(method: str) -> str | None:
    """The most frequent events take none of the goroutine's stack (and Go 1.23 loses events inside others)."""
    head, body, tail = method.partition("\n")[0], method.partition("\n")[2][:-2], "}\n"
    if not re.fullmatch(r"\ttl\.eventWriter\([^\n]*\)\n", body):
        return None
    return f"//go:nosplit\n{head}\n\tsystemstack(func() {{\n\t{body}\t}})\n{tail}"


def packed_is_told(mallocgc: str) -> str | None:
    """Where objects are packed into an open tiny block without an event (Go 1.23), one is written as for all others."""
    if "c.tinyAllocs++" not in mallocgc:
        return mallocgc
    found = PACKED.search(mallocgc)
    if found is None or len(PACKED.findall(mallocgc)) > 1:
        return None
    return mallocgc[: found.end("release")] + indent(PACKED_EVENT, found["indent"]) + mallocgc[found.end("release") :]


def described(method: str, release: str, detail: Detail) -> str | None:
    """HeapObjectAlloc with a message before each event: the task is the size, then the key, no value, and the stack.

    Every reader of Go's traces knows messages (trace.Log), and takes these for some.
    """
    found = ALLOC_EVENT.search(method)
    if found is None or "typ *abi.Type)" not in method:
        return None
    plain = "".join(re.findall(r"^[\w.+-]+", release))
    stack = "tl.goallocStack(system)" if detail is Detail.STACKS else "traceArg(0)"
    message = (
        f'\t\tkey, stack := tl.string("{KEY} {plain}"), {stack}\n'
        f"\t\t{found['write']}UserLog, traceArg(size), key, 0, stack)\n"
    )
    new = method[: found.start() - 1] + message + method[found.start() - 1 :]
    new = new.replace("typ *abi.Type)", "typ *abi.Type, size uintptr)", 1)
    if detail is not Detail.STACKS:
        return new
    return new.replace("\tsystemstack(", "\tsystem := getg() == getg().m.g0\n\tsystemstack(", 1) + STACK


def named_in_full(method: str) -> str | None:
    """A function that is generic is named as in a profile, f[go.shape.int]: all its instances are f[...] elsewhere."""
    plain, full = "\tfn := f.Function\n", "\tfn := runtime_FrameSymbolName(&f)\n"
    return method.replace(plain, full) if method.count(plain) == 1 else None


def with_main(method: str) -> str | None:
    """The main goroutine's stacks begin in runtime.main, as in a profile."""
    return method.replace(MAIN_SKIPPED, "") if method.count(MAIN_SKIPPED) == 1 else None


def sized(file: str, text: str) -> str:
    """The text of a file with the size passed to wherever the event of an allocation is written."""
    new, at = "", 0
    for found in functions(text):
        new += text[at : found.start()] + sized_function(file, found[0])
        at = found.end()
    return new + text[at:]


def sized_function(file: str, text: str) -> str:
    """A function that passes the size on, and gets it where it is the one in the middle."""
    if not re.search(r"\bpostMallocgcDebug\(|\.HeapObjectAlloc\(", text):
        return text
    text = text.replace("elemsize uintptr, typ *_type) {", "elemsize uintptr, typ *_type, size uintptr) {", 1)
    size = asked_size(file, text)
    text = re.sub(r"(?<!func )\bpostMallocgcDebug\(x, elemsize, typ\)", f"postMallocgcDebug(x, elemsize, typ, {size})", text)
    return text.replace(".HeapObjectAlloc(uintptr(x), typ)", f".HeapObjectAlloc(uintptr(x), typ, {size})")


def asked_size(file: str, function: str) -> str:
    """The size that the program asked for, as a function of the allocator has it."""
    if "userSize := size" in function:
        return "userSize"
    if "size += asanRZ" in function:
        return "size-asanRZ"
    signature = function.partition("\n")[0]
    if "size uintptr" not in signature or SIZE_CHANGED.search(function):
        name = re.match(r"func (?:\([^)]*\) )?(\w+)", function)
        raise UnlikeError(f"{file}: the function {name[1] if name else ''} is not as expected")
    return "size"
