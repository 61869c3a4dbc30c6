"""A runtime whose recordings are whole: what is changed of it, what is refused, and the flags that pass it to Go."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from goalloc_cli.recording import overlay
from goalloc_cli.recording.command import builds, only_builds
from goalloc_cli.recording.mend import Detail, UnlikeError, mended
from goalloc_cli.recording.toolchain import Toolchain, join, split, toolchain
from tests.commands.test_record import PARCELS, SOURCE, goalloc, parcels
from tests.conftest import Go

TRACER = """\
func (tl traceLocker) HeapObjectAlloc(addr uintptr, typ *abi.Type) {
	tl.eventWriter(traceGoRunning, traceProcRunning).commit(traceEvHeapObjectAlloc, traceHeapObjectID(addr), tl.rtype(typ))
}

func (tl traceLocker) HeapObjectFree(addr uintptr) {
	tl.eventWriter(traceGoRunning, traceProcRunning).commit(traceEvHeapObjectFree, traceHeapObjectID(addr))
}
"""
BUFFERS = """\
func (w traceWriter) ensure(maxSize int) (traceWriter, bool) {
	refill := w.traceBuf == nil || !w.available(maxSize)
	if refill {
		w = w.refill(traceNoExperiment)
	}
	return w, refill
}
"""
MALLOC = """\
func mallocgc(size uintptr, typ *_type, needzero bool) unsafe.Pointer {
	userSize := size
	if fits {
		c.tinyAllocs++
		mp.mallocing = 0
		releasem(mp)
		return x
	}
	size = maxTinySize
	trace.HeapObjectAlloc(uintptr(x), typ)
	return x
}
"""
FRAMES = """\
func traceStack(skip int, gp *g, gen uintptr) uint64 {
	if nstk > 0 && gp.goid == 1 {
		nstk-- // skip runtime.main
	}
	return id
}

func makeTraceFrame(gen uintptr, f Frame) traceFrame {
	fn := f.Function
	return frame
}
"""
OLDEST = {"tracebuf.go": BUFFERS, "traceallocfree.go": TRACER, "malloc.go": MALLOC}
"""The functions as Go 1.23 has them."""


def changed(detail: Detail, **texts: str) -> dict[str, str]:
    files = OLDEST | {"tracestack.go": FRAMES} | {f"{name}.go": text for name, text in texts.items()}
    return mended(files.__getitem__, files, "go1.23.9", detail)


@pytest.fixture
def goroot(tmp_path: Path) -> Path:
    """A toolchain with these functions."""
    runtime = tmp_path / "go root" / "src" / "runtime"
    runtime.mkdir(parents=True)
    for name, text in OLDEST.items():
        (runtime / name).write_text(text)
    return tmp_path / "go root"


def go_of(goroot: Path, goflags: str = "", folder: Path = Path()) -> Toolchain:
    return Toolchain(goroot, "go1.23.9", goflags, folder)


def replaced(list_file: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(list_file.read_text())["Replace"]
    return found


# What is changed.


def test_a_new_buffer_is_taken_on_the_system_stack() -> None:
    text = changed(Detail.NOTHING)["tracebuf.go"]
    assert "\t\tsystemstack(func() { w.traceBuf = w.refill(traceNoExperiment).traceBuf })\n" in text


def test_what_is_packed_into_a_tiny_block_is_told_where_it_was_not() -> None:
    text = changed(Detail.NOTHING)["malloc.go"]
    assert text.index("tinyAllocs++") < text.index("HeapObjectAlloc(uintptr(x), typ)") < text.index("return x")


def test_the_size_is_the_one_asked_for_and_not_the_slots() -> None:
    text = changed(Detail.SIZES)["malloc.go"]
    assert text.count("HeapObjectAlloc(uintptr(x), typ, userSize)") == 2


def test_sizes_without_stacks_name_no_stack() -> None:
    text = changed(Detail.SIZES)["traceallocfree.go"]
    assert 'key, stack := tl.string("goalloc go1.23.9"), traceArg(0)\n' in text


def test_a_stack_is_that_of_the_profile_in_a_full_recording_alone() -> None:
    text = changed(Detail.STACKS)["tracestack.go"]
    assert "fn := runtime_FrameSymbolName(&f)" in text and "skip runtime.main" not in text
    assert "tracestack.go" not in changed(Detail.SIZES)


def test_what_allocates_on_the_system_stack_is_told() -> None:
    text = changed(Detail.STACKS)["traceallocfree.go"]
    places = [text.index(part) for part in ("system := getg() == getg().m.g0", "systemstack(func()", "goallocStack(system)")]
    assert places == sorted(places)


def test_the_redzone_of_the_address_sanitizer_was_not_asked_for() -> None:
    malloc = "func mallocgc(size uintptr) {\n\tsize += asanRZ\n\tpostMallocgcDebug(x, elemsize, typ)\n}\n"
    hook = "func postMallocgcDebug(x int, elemsize uintptr, typ *_type) {\n\ttrace.HeapObjectAlloc(uintptr(x), typ)\n}\n"
    text = changed(Detail.SIZES, malloc=malloc + hook)["malloc.go"]
    assert re.findall(r"size\S*\)", text.partition("+=")[2]) == ["size-asanRZ)", "size)"]


@pytest.mark.parametrize(
    ("file", "old", "new", "function"),
    [
        ("tracebuf", "w = w.refill", "w = w.fill", "ensure"),
        ("tracebuf", "ensure", "assure", "ensure"),
        ("traceallocfree", ".commit(traceEvHeapObjectFree", "\n\t.commit(traceEvHeapObjectFree", "HeapObjectFree"),
        ("traceallocfree", "tl.rtype(typ)", "0", "HeapObjectAlloc"),
        ("tracestack", "f.Function", "f.Name", "makeTraceFrame"),
        ("tracestack", "goid == 1", "goid == 2", "traceStack"),
        ("malloc", "releasem(mp)", "release(mp)", "mallocgc"),
        ("malloc", "userSize := size", "asked := size", "mallocgc"),
    ],
)  # fmt: skip
def test_a_function_that_looks_different_is_refused_by_name(file: str, old: str, new: str, function: str) -> None:
    with pytest.raises(UnlikeError, match=rf"{file}.go: the function {function} is not as expected"):
        changed(Detail.STACKS, **{file: (OLDEST | {"tracestack.go": FRAMES})[f"{file}.go"].replace(old, new)})


@pytest.mark.go
def test_the_runtime_of_a_real_go_is_as_expected(go: Go) -> None:
    runtime = toolchain(go.command, None).goroot / "src" / "runtime"
    names = [path.name for path in runtime.iterdir()]
    found = mended(lambda name: (runtime / name).read_text(), names, "go1", Detail.STACKS)
    assert {"malloc.go", "traceallocfree.go", "tracebuf.go", "tracestack.go"} <= set(found)


# The overlay.


def test_an_overlay_replaces_the_changed_files(goroot: Path, tmp_path: Path) -> None:
    list_file = overlay.write(tmp_path / "out", go_of(goroot), Detail.NOTHING, None)
    runtime, out = goroot / "src" / "runtime", tmp_path / "out"
    assert replaced(list_file) == {str(runtime / name): str(out / name) for name in OLDEST}


def test_an_overlay_holds_the_one_that_was_there(goroot: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs.json").write_text('{"Replace": {"a.go": "b.go"}}')
    go = go_of(goroot, folder=tmp_path)
    assert replaced(overlay.write(tmp_path / "out", go, Detail.NOTHING, "theirs.json"))["a.go"] == "b.go"


def test_a_file_that_was_replaced_already_is_changed_as_it_is_then(goroot: Path, tmp_path: Path) -> None:
    runtime = goroot / "src" / "runtime"
    (tmp_path / "own.go").write_text("// own\n" + BUFFERS)
    (tmp_path / "theirs.json").write_text(json.dumps({"Replace": {str(runtime / "tracebuf.go"): "own.go"}}))
    list_file = overlay.write(tmp_path / "out", go_of(goroot, folder=tmp_path), Detail.NOTHING, "theirs.json")
    assert Path(replaced(list_file)[str(runtime / "tracebuf.go")]).read_text().startswith("// own\n")


@pytest.mark.parametrize("text", ["", "[]", '{"Replace": {"a": 1}}', '{"Replace": [1]}'])
def test_an_overlay_that_is_none_is_refused(goroot: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "theirs.json").write_text(text)
    with pytest.raises(ValueError, match="is no overlay"):
        overlay.write(tmp_path / "out", go_of(goroot), Detail.NOTHING, str(tmp_path / "theirs.json"))


def test_a_go_that_records_no_allocations_is_named(goroot: Path, tmp_path: Path) -> None:
    (goroot / "src" / "runtime" / "traceallocfree.go").unlink()
    with pytest.raises(ValueError, match=r"go1\.23\.9 records no allocations"):
        overlay.write(tmp_path / "out", go_of(goroot), Detail.NOTHING, None)


# Flags.


@pytest.mark.parametrize(
    ("args", "goflags", "passed", "then"),
    [
        ("go test .", "", "go test .", "-overlay=/o/l"),
        ("go test .", "-mod=mod '-ldflags=-s -w'", "go test .", "-mod=mod '-ldflags=-s -w' -overlay=/o/l"),
        ("go test .", "-overlay=a -v", "go test .", "-v -overlay=/o/l"),
        ("go test -overlay=a .", "-v", "go test -overlay=/o/l .", "-v"),
        ("go test --overlay a .", "", "go test --overlay /o/l .", ""),
    ],
)
def test_the_overlay_is_passed_beside_what_stands_there(args: str, goflags: str, passed: str, then: str) -> None:
    assert overlay.passed(Path("/o/l"), go_of(Path(), goflags), args.split()) == (passed.split(), then)


def test_a_path_with_blanks_is_quoted() -> None:
    assert overlay.passed(Path("/a b/l"), go_of(Path(), "-v"), ["go", "test"])[1] == "-v '-overlay=/a b/l'"


@pytest.mark.parametrize("fields", [["-a", "-b=c d"], ["-l='x y'", "-v"], ['-x="1 2"'], ["-a=it's"]])
def test_goflags_are_read_as_they_are_written(fields: list[str]) -> None:
    assert split(join(fields)) == fields


def test_a_quote_that_is_not_closed_is_refused() -> None:
    with pytest.raises(ValueError, match="is not closed"):
        split("-v '-ldflags=-s")


@pytest.mark.parametrize(
    ("args", "builds_something", "runs_nothing"),
    [
        ("go test ./...", True, False),
        ("/usr/local/go/bin/go1.26.6 run .", True, False),
        ("go test -c -o x .", True, True),
        ("go build .", True, True),
        ("go vet .", False, False),
        ("gofmt build", False, False),
        ("go", False, False),
    ],
)
def test_what_a_go_command_builds(args: str, builds_something: bool, runs_nothing: bool) -> None:
    assert (builds(args.split()), only_builds(args.split())) == (builds_something, runs_nothing)


# The command.

ONCE = "goalloc: Go builds with a runtime whose recordings are whole; the first time takes a minute\n"


def test_a_program_whose_stacks_grow_is_recorded_whole(go: Go, tmp_path: Path) -> None:
    args = ["record", "-o", tmp_path / "t.msgpack", "--", "go", "test", "-vet=off", "-run=Grow", "."]
    found = goalloc(*args, cwd=SOURCE, **go.environ())
    assert (found.returncode, parcels(tmp_path / "t.msgpack")) == (0, 60 * 150 * 100), found.stderr
    assert ONCE in found.stderr


def test_a_build_is_mended_and_nothing_is_recorded(go: Go, tmp_path: Path) -> None:
    found = goalloc("record", "--", "go", "build", "-o", tmp_path / "app", ".", cwd=SOURCE, **go.environ())
    assert (found.returncode, [path.name for path in tmp_path.iterdir()]) == (0, ["app"]), found.stderr
    found = goalloc("record", "-o", "t.msgpack", "--trace", "a", "./app", "-trace", "a", cwd=tmp_path)
    assert parcels(tmp_path / "t.msgpack") == PARCELS


def test_go_stays_as_it_is_on_demand(go: Go, tmp_path: Path) -> None:
    args = ["record", "--no-mend", "-o", tmp_path / "t.msgpack", "--", "go", "test", "-vet=off", "-run=Pack", "."]
    found = goalloc(*args, cwd=SOURCE, **go.environ())
    assert (found.returncode, ONCE in found.stderr) == (0, False)


def test_the_overlay_is_written_for_builds_of_ones_own(go: Go, tmp_path: Path) -> None:
    found = goalloc("record", "--overlay", "over lay", cwd=tmp_path, **go.environ())
    assert (found.returncode, found.stdout) == (0, f"-overlay={tmp_path}/over lay/overlay.json\n")
    written = replaced(tmp_path / "over lay" / "overlay.json").values()
    assert {str(Path(path).parent) for path in written} == {f"{tmp_path}/over lay"}


def fake_go(folder: Path, goroot: Path) -> str:
    """A PATH with a go command that tells of `goroot`, and builds nothing."""
    env = json.dumps({"GOROOT": str(goroot), "GOVERSION": "go1.99", "GOFLAGS": ""})
    folder.mkdir()
    script = folder / "go"
    script.write_text(f"#!/bin/sh\nif [ $1 = env ]; then echo '{env}'; else echo built with \"$GOFLAGS\"; exit 7; fi\n")
    script.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def test_where_the_runtime_looks_different_go_is_left_as_it_is(goroot: Path, tmp_path: Path) -> None:
    (goroot / "src" / "runtime" / "tracebuf.go").write_text("package runtime\n")
    path = fake_go(tmp_path / "bin", goroot)
    found = goalloc("record", "-o", "t", "--", "go", "test", ".", cwd=tmp_path, PATH=path, GOFLAGS="")
    assert (found.returncode, found.stdout, found.stderr.splitlines()[0]) == (
        7, "built with \n",
        "goalloc: Go is left as it is, and its recordings may break: tracebuf.go: the function ensure is not as expected",
    )  # fmt: skip


def test_a_goroot_that_cannot_be_read_leaves_go_as_it_is(tmp_path: Path) -> None:
    path = fake_go(tmp_path / "bin", tmp_path / "nowhere")
    found = goalloc("record", "-o", "t", "--", "go", "test", ".", cwd=tmp_path, PATH=path, GOFLAGS="")
    assert (found.returncode, found.stdout) == (7, "built with \n")
    assert str(tmp_path / "nowhere") in found.stderr.splitlines()[0]


def test_no_go_on_the_path_is_one_line(tmp_path: Path) -> None:
    found = goalloc("record", "-o", "t", "--", "go", "test", ".", cwd=tmp_path, PATH=str(tmp_path))
    assert (found.returncode, found.stderr) == (2, "goalloc: go: No such file or directory\n")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["-o", "t", "--full", "--", "./x.test"], "--full has to be built in"),
        (["-o", "t", "--full", "--url", "http://localhost"], "--full has to be built in"),
        (["-o", "t", "--full", "./x.test"], "'./x.test' is not =sizes; a command comes after --"),
        (["-o", "t", "--", "go", "build", "."], "a build makes no recording"),
        (["-o", "t", "--overlay", "d"], "a build makes no recording"),
        (["--overlay", "d", "--", "go", "build"], "give either"),
        (["-o", "t", "--full", "--no-mend", "--", "go", "test"], "does not go with --no-mend"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_built(tmp_path: Path, args: list[str], told: str) -> None:
    found = goalloc("record", *args, cwd=tmp_path)
    assert (found.returncode, told in found.stderr, list(tmp_path.iterdir())) == (2, True, []), found.stderr
