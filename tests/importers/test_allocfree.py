"""The text of GODEBUG=allocfreetrace=1: real recordings of Go 1.19, and small ones that say one thing each."""

import io
import re
from pathlib import Path

import pytest
import zstandard

from goalloc_cli.analyses.replay import replay
from goalloc_cli.design.releases import release
from goalloc_cli.errors import TraceError
from goalloc_cli.importers.allocfree import follow as allocfree_follow
from goalloc_cli.importers.allocfree import read as allocfree
from goalloc_cli.importers.allocfree.scan import NO_POINTERS, POINTERS, UNKNOWN
from goalloc_cli.importers.allocfree.types import pointers_in
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.trace.event import BOUND, KIND_MASK, NOSCAN, Call, Function, Kind
from goalloc_cli.trace.trace import Trace
from tests.kit.root import DATA as TEST_DATA

DATA = TEST_DATA / "allocfree"
CHURN = DATA / "churn-go1.19.txt.zst"
SMALL = DATA / "small-go1.19.txt.zst"

STACK = "main.main()\n\tmain.go:{line} +0x1d fp=0xc00006e780 sp=0xc00006e720 pc=0x457f9d\n"


def text_of(path: Path) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())


def alloc(addr: int, slot: int, type_name: str = "", request: str = "", before: str = "", line: int = 7) -> str:
    """A record as Go prints it."""
    named = f", {type_name}" if type_name else ""
    frame = f"runtime.mallocgc({request}, {'0x45f3a0' if type_name else '0x0'}, 0x1)\n\truntime/malloc.go:1131 +0x7b1\n"
    stack = (frame if request else "") + before + STACK.format(line=line)
    return f"tracealloc(0x{addr:x}, 0x{slot:x}{named})\ngoroutine 1 [running]:\n{stack}\n"


def free(addr: int, slot: int) -> str:
    return f"tracefree(0x{addr:x}, 0x{slot:x})\ngoroutine 3 [running]:\nruntime.sweepone()\n\truntime/mgcsweep.go:1\n\n"


GC = "tracegc()\n\ngoroutine 1 [runnable]:\nmain.main()\n\tmain.go:9 +0x1\n\nend tracegc\n\n"


def read(text: str | bytes) -> Trace:
    return allocfree.read_allocfree(io.BytesIO(text.encode() if isinstance(text, str) else text), "a.txt")


def told(text: str | bytes) -> list[tuple]:
    """The events: kind in lower case, then handle; allocations with size, flags and type as well."""
    events, types = [], [""]
    for batch in read(text).batches:
        types += [new.name for new in batch.new_types]
        for kind, handle, size, arg in zip(batch.kind.tolist(), batch.id, batch.size, batch.arg, strict=True):
            name = Kind(kind & KIND_MASK).name.lower()
            flags = "".join(letter for letter, flag in (("n", NOSCAN), ("b", BOUND)) if kind & flag)
            events.append((name, int(handle), int(size), flags, types[arg]) if name == "alloc" else (name, int(handle)))
    return events


def kinds(text: str | bytes) -> list[str]:
    return [event[0] for event in told(text)]


# What a record says.


def test_the_request_is_read_off_the_frame_of_mallocgc():
    assert told(alloc(0xC000010000, 48, "*main.T", "0x22")) == [("alloc", 0, 34, "", "*main.T at main.main (main.go:7)")]


def test_without_that_frame_the_size_is_the_slot_as_a_bound():
    assert told(alloc(0xC000010000, 48, "*main.T"))[0][2:4] == (48, "b")


@pytest.mark.parametrize("stale", ["0x18", "0x9000", "0x0", "0x31?"])
def test_a_request_that_never_gets_this_slot_is_not_believed(stale):
    assert told(alloc(0xC000010000, 48, "*main.T", stale))[0][2:4] == (48, "b")


def test_a_question_mark_does_not_hide_a_request_that_fits():
    assert told(alloc(0xC000010000, 48, "*main.T", "0x2f?"))[0][2:4] == (47, "")


def test_a_large_request_is_rounded_to_pages():
    assert told(alloc(0xC000010000, 0x14000, "int", "0x13880"))[0][2:4] == (80000, "n")


def test_what_has_no_type_has_no_pointers():
    assert told(alloc(0xC000010000, 96, "", "0x60")) == [("alloc", 0, 96, "n", "no type at main.main (main.go:7)")]


def test_a_tiny_object_that_is_printed_opened_a_block_of_sixteen_bytes():
    assert told(alloc(0xC000010000, 16, "", "0x3"))[0][2:4] == (16, "nb")


def test_growslice_tells_that_a_named_type_has_pointers():
    grown = "runtime.growslice(0x45f3a0, {0x0?})\n\truntime/slice.go:290 +0x4ea\n"
    note = read(alloc(0xC000010000, 48, "main.T", "0x30", before=grown)).header.notes[-1]
    assert "known of 100.0%" in note


def test_a_neighbour_on_the_page_tells_that_a_named_type_has_no_pointers():
    text = alloc(0xC000010000, 48, "uint8", "0x30") + alloc(0xC000010030, 48, "main.T", "0x30")
    assert told(text)[1][3] == "n"


def test_the_page_of_an_earlier_cycle_tells_nothing():
    text = alloc(0xC000010000, 48, "uint8", "0x30") + GC + alloc(0xC000010030, 48, "main.T", "0x30")
    assert told(text)[-1][3] == ""


def test_a_named_type_is_taken_to_hold_pointers_and_the_notes_say_how_often():
    trace = read(alloc(0xC000010000, 48, "main.T", "0x30"))
    assert trace.header.notes[-1].startswith("Whether it holds pointers is known of 0.0% of the first 1 allocations")


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("uint8", NO_POINTERS), ("float64", NO_POINTERS), ("[4]int", NO_POINTERS), ("string", POINTERS), ("[]int", POINTERS),
        ("*main.T", POINTERS), ("map[string]int", POINTERS), ("func() int", POINTERS), ("main.T", UNKNOWN),
        ("interface {}", POINTERS), ("struct { F uintptr; n int }", NO_POINTERS), ("struct { t main.T }", UNKNOWN),
        ("struct { a struct { b int; c *int }; d int }", POINTERS), ("map.bucket[int]bool", NO_POINTERS),
        ("map.bucket[[2]string]int", POINTERS), ("errors.errorString", UNKNOWN), ("chan int", POINTERS),
    ],
)  # fmt: skip
def test_what_the_name_of_a_type_tells_about_pointers(name, answer):
    assert pointers_in(name) == answer


def test_a_site_is_the_first_frame_outside_the_runtime():
    runtime = "runtime.newobject(0x1?)\n\truntime/malloc.go:1202 +0x27 fp=0x1\nruntime/internal/x.y(...)\n\tx.go:1\n"
    inlined = "example.com/app/store.(*Map[...]).put(...)\n\t/src/store/map.go:81\n"
    event = told(alloc(0xC000010000, 48, "*main.T", before=runtime + inlined))[0]
    assert event[4] == "*main.T at example.com/app/store.(*Map[...]).put (map.go:81)"


def test_one_type_at_two_sites_is_told_apart():
    text = alloc(0xC000010000, 48, "*main.T", "0x30", line=7) + alloc(0xC000010030, 48, "*main.T", "0x30", line=8)
    assert [event[4][-11:] for event in told(text)] == ["(main.go:7)", "(main.go:8)"]


# Call stacks.


def stacks(text: str | bytes) -> list[list[tuple[str, str, int]]]:
    """The calls of each allocation, the innermost first."""
    functions, calls, found = [Function("", "")], [Call(0, 0, 0)], []
    for batch in read(text).batches:
        functions += batch.new_functions
        calls += batch.new_calls
        for at in batch.stack[batch.kind & KIND_MASK == Kind.ALLOC].tolist():
            frames = []
            while at:
                call = calls[at]
                frames.append((functions[call.function].name, functions[call.function].file, call.line))
                at = call.caller
            found.append(frames)
    return found


def test_an_allocation_has_the_calls_that_are_printed_with_it():
    calls = "strings.(*Builder).grow(0xc000012345?, 0x10)\n\tstrings/builder.go:68 +0x3f fp=0x1 sp=0x2 pc=0x3\n"
    made = "created by main.start\n\tmain.go:3 +0x1d\n"
    text = alloc(0xC000010000, 48, "", "0x30", before=calls).rstrip() + "\n" + made + "\n"
    assert stacks(text) == [[("strings.(*Builder).grow", "strings/builder.go", 68), ("main.main", "main.go", 7)]]


def test_the_same_calls_with_other_arguments_are_the_same_stack():
    frame = "main.f({}, {{0x1, 0x2}})\n\tmain.go:5 +0x1d\n".format
    text = "".join(alloc(0xC000010000 + 48 * i, 48, "", "0x30", before=frame(hex(i))) for i in range(3))
    assert sum(len(batch.new_calls) for batch in read(text).batches) == 2
    assert len(set(map(tuple, stacks(text)))) == 1


def test_a_record_without_calls_has_no_stack():
    assert stacks(alloc(0xC000010000, 48).partition("goroutine")[0] + "\n") == [[]]


@pytest.mark.parametrize("path", ["churn-go1.19.txt.zst", "small-go1.19.txt.zst"])
def test_every_stack_of_a_real_recording_is_what_a_plain_parser_reads(path):
    text = text_of(DATA / path)
    plain = []
    for record in re.findall(r"^tracealloc\(.*\n((?:.+\n)*)", text.decode(), re.MULTILINE):
        frames = re.findall(r"^(\S.*)\([^(]*\)\n\t(.*):(\d+)(?: .*)?$", record, re.MULTILINE)
        plain.append([(name, file, int(line)) for name, file, line in frames if name != "runtime.mallocgc"])
    assert stacks(text) == plain


# Cycles.


def test_a_death_comes_before_the_cycle_that_found_it():
    text = alloc(0xC000010000, 48) + GC + alloc(0xC000010030, 48) + free(0xC000010000, 48) + GC
    assert kinds(text) == ["alloc", "free", "gc_start", "gc_end", "alloc", "gc_start", "gc_end"]


def test_an_address_used_again_is_another_object():
    text = alloc(0xC000010000, 48) + GC + free(0xC000010000, 48) + alloc(0xC000010000, 48) + GC + free(0xC000010000, 48)
    assert kinds(text) == ["alloc", "free", "gc_start", "gc_end", "alloc", "free", "gc_start", "gc_end"]


def test_a_cycle_too_long_to_be_held_back_is_handed_out_early(monkeypatch):
    monkeypatch.setattr(allocfree, "MOST_HELD", 0)
    monkeypatch.setattr(allocfree, "BLOCK", 200)
    text = alloc(0xC000010000, 48) + GC + alloc(0xC000010030, 48) + "text\n" * 99 + free(0xC000010000, 48) + GC
    assert kinds(text) == ["alloc", "gc_start", "gc_end", "alloc", "free", "gc_start", "gc_end"]


# Text that is not as it should be.


def test_lines_of_the_program_in_between_do_no_harm():
    record = alloc(0xC000010000, 48, "*main.T", "0x30").replace("goroutine 1", "listening on :8080\ngoroutine 1")
    text = "starting\n" + record + "no newline" + alloc(0xC000010030, 48, "*main.T", "0x30") + "\n\ndone tracealloc(0xzz)\n"
    assert kinds(text) == ["alloc", "alloc"]


def test_a_record_torn_by_other_output_is_left_out():
    torn = alloc(0xC000010000, 48).replace("tracealloc(0xc0000", "tracealloc(0xc0000hello\n", 1)
    assert kinds(torn + alloc(0xC000010030, 48)) == ["alloc"]


def test_frames_of_tracealloc_itself_are_no_records():
    frame = "runtime.tracealloc(0xc000010000, 0x30)\n\truntime/mprof.go:1 +0x1\n"
    assert kinds(alloc(0xC000010000, 48, before=frame)) == ["alloc"]


def test_frees_of_what_was_made_before_the_recording_are_left_out():
    assert kinds(alloc(0xC000010000, 48) + GC + free(0xC000000000, 24)) == ["alloc", "gc_start", "gc_end"]


def test_a_text_whose_start_is_missing_is_refused():
    frees = "".join(free(0xC000000000 + 16 * i, 16) for i in range(allocfree_follow.MOST_UNKNOWN + 2))
    with pytest.raises(TraceError, match=r"its start is missing: record from the start"):
        list(read(alloc(0xC100010000, 48) + GC + frees).batches)


def test_a_free_that_was_lost_is_made_up_for_when_its_address_is_used_again():
    assert kinds(alloc(0xC000010000, 48) + GC + alloc(0xC000010000, 48)) == ["alloc", "gc_start", "gc_end", "free", "alloc"]


def test_a_text_that_ends_within_a_record_is_read_to_its_end():
    assert told(alloc(0xC000010000, 48, "*main.T", "0x30")[:-40])[0][:4] == ("alloc", 0, 48, "")


def test_a_line_without_end_takes_no_memory():
    text = alloc(0xC000010000, 48) + "x" * (4 << 20) + "\n" + alloc(0xC000010030, 48)
    assert kinds(text) == ["alloc", "alloc"]


@pytest.mark.parametrize("block", [100, 1000, 4097])
def test_where_the_blocks_end_makes_no_difference(monkeypatch, block):
    text = text_of(SMALL)
    whole = told(text)
    monkeypatch.setattr(allocfree, "BLOCK", block)
    assert told(text) == whole


# Real recordings.


def test_every_record_of_a_real_recording_is_found():
    text = text_of(CHURN)
    events = kinds(text)
    found = events.count("alloc"), events.count("gc_end"), events.count("free")
    # Three objects that the runtime made before it read GODEBUG die without having been printed.
    assert found == (text.count(b"tracealloc("), text.count(b"tracegc()"), text.count(b"tracefree(") - 3)


def test_the_small_program_is_read_as_it_was_written():
    nodes = [event for event in told(text_of(SMALL)) if event[-1] == "main.node at main.main (small.go:15)"]
    large = [event for event in told(text_of(SMALL)) if event[-1] == "int at main.main (small.go:19)"]
    assert ([event[2] for event in nodes], [event[2:4] for event in large]) == ([16] * 6, [(80000, "n")])


@pytest.mark.parametrize("path", [CHURN, SMALL])
def test_a_real_recording_replays_with_every_invariant_kept(path):
    outcome = replay(open_trace(path), release("1.19"), design_name="go1.19", check=True)
    assert outcome.events["alloc"] == text_of(path).count(b"tracealloc(")


def test_a_few_torn_records_are_told_and_many_are_refused():
    text = "".join(alloc(0xC000010000 + 48 * i, 48) for i in range(20))
    torn = text.replace("tracealloc(0xc0000", "tracealloc(0xc0000hello\n", 6)
    trace = read(torn)
    assert sum(len(batch) for batch in trace.batches) == 14
    assert trace.remarks == ["6 of 20 events were torn apart by other output, and left out."]
    with pytest.raises(TraceError, match="20 events of allocfreetrace begin in it, and 16 of them cannot be read"):
        sum(len(batch) for batch in read(text.replace("tracealloc(0xc0000", "tracealloc(0xc0000hello\n", 16)).batches)
