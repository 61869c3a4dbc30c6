"""Hostile bytes: every reader ends with an answer or one line, whatever it is given, within bounds of time and memory.

The small inputs and what is done to them are those of `fuzz/`; `python -m fuzz --mutations` tries far more of them.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import msgpack
import pytest
import zstandard

from fuzz import mutations, seeds
from fuzz.counts import add_count, asked_for
from fuzz.exhaustive import HOLD_TRACES
from fuzz.seeds import BASE, SEEDS, batch, event, uvarint
from fuzz.targets import TARGETS, outcome, replayed, saved_resealed
from goalloc_cli.errors import TraceError
from goalloc_cli.host import source
from goalloc_cli.importers.exectrace.wire.decode import Ev
from tests.kit.memory import grown_bytes

MOST_SECONDS = 20.0
"""Of the processor, for one small input; most take a thousandth of a second. It only tells a hang."""
PLACE = re.compile(r"byte \d|line \d|row \d|chunk \d|event \d|batch \d|header|column|version|ends|input: ")
SLOW = {"exectrace": 4, "gctrace": 5, "memstats": 5, "allocfree": 4}
"""Readers of which only every so many of the changed bytes are tried here."""


def tried(reader: str, target: Callable[[bytes], object], way: str, inputs: Iterable[bytes]) -> None:
    """Give all inputs to a reader: an answer or a line with the input's name and a place, in time."""
    count = 0
    for data in inputs:
        count += 1
        began = time.process_time()
        found = outcome(target, data)
        assert time.process_time() - began < MOST_SECONDS, data
        assert not isinstance(found, str) or (found.startswith("input") and PLACE.search(found)), (found, data)
    if asked_for():
        add_count("tested", reader, tried=count, ways={way: count}, broken=0)


@pytest.fixture(scope="module", params=SEEDS)
def reader(request: pytest.FixtureRequest) -> str:
    """Each reader, with its kernels compiled."""
    for seed in SEEDS[request.param]():
        assert isinstance(outcome(TARGETS[request.param], seed), int)
    return request.param


def test_cut_short_anywhere(reader: str) -> None:
    for seed in SEEDS[reader]():
        tried(reader, TARGETS[reader], "cut short", mutations.cuts(seed))


def test_any_byte_changed(reader: str) -> None:
    for number, seed in enumerate(SEEDS[reader]()):
        changed = list(mutations.changes(seed, (0x00, 0xFF)))
        step = SLOW.get(reader, 1) * (3 if number else 1)
        tried(reader, TARGETS[reader], "a byte changed", changed[::step])


def test_huge_numbers_and_deep_nesting_anywhere(reader: str) -> None:
    for seed in SEEDS[reader]():
        tried(reader, TARGETS[reader], "huge or deep", mutations.insertions(seed, step=24))


def test_spliced_swapped_and_repeated_with_second_headers_and_trailing_bytes(reader: str) -> None:
    for seed in SEEDS[reader]():
        tried(reader, TARGETS[reader], "spliced", mutations.splices(seed, 100))


def test_large_numbers_anywhere(reader: str) -> None:
    tried(reader, TARGETS[reader], "numbers", mutations.numbers(SEEDS[reader](), 500))


@pytest.mark.parametrize("reader", ["native", "saved"])
def test_a_changed_byte_never_gives_another_answer_where_there_is_a_checksum(reader: str) -> None:
    for seed in SEEDS[reader]():
        for data in mutations.changes(seed[: len(seed) // 2], (0,)):
            found = outcome(TARGETS[reader], data + seed[len(seed) // 2 :])
            assert isinstance(found, str) or found == outcome(TARGETS[reader], seed)


@pytest.mark.parametrize("reader", sorted(HOLD_TRACES - {"native"}))  # checksums leave nothing of that one
def test_what_a_reader_takes_of_a_damaged_trace_is_replayed_or_refused(reader: str) -> None:
    whole = SEEDS[reader]()
    taken = 0
    for data in [*whole, *mutations.numbers(whole, 300), *mutations.splices(whole[0], 100)]:
        if isinstance(outcome(TARGETS[reader], data), int):
            taken += 1
            found = outcome(replayed, data)
            assert isinstance(found, int) or found.startswith("input"), (found, data)
    assert taken > len(whole)


def test_a_saved_report_with_the_right_checksum_is_still_not_believed() -> None:
    for seed in SEEDS["saved"]():
        tried("saved", saved_resealed, "a byte changed", list(mutations.changes(seed, (0xC0,)))[::12])


def test_a_saved_report_whose_schema_is_a_list_is_refused() -> None:
    document = msgpack.unpackb(seeds.saved())
    listed = msgpack.packb({**document, "schema": [document["schema"]]})
    assert "this saved report is damaged" in str(outcome(saved_resealed, listed))


def test_both_halves_of_a_chunk_that_is_repeated_or_swapped_are_refused() -> None:
    data = seeds.native()
    starts = [found.start() - 1 for found in re.finditer(rb"\xa5chunk|\xa6footer", data)]
    header, first, second, footer = (data[a:b] for a, b in zip([0, *starts], [*starts, len(data)], strict=True))
    for parts in ((header, second, first, footer), (header, first, first, second, footer), (header, header, first, footer)):
        with pytest.raises(TraceError, match="byte"):
            TARGETS["native"](b"".join(parts))


# Bombs


def zeros(mib: int) -> bytes:
    return bytes(mib << 20)


@pytest.mark.parametrize("pack", [lambda data: gzip.compress(data, 9, mtime=0), zstandard.compress])
def test_a_bomb_is_not_unpacked(pack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "FREE_BYTES", 4 << 20)
    start = b"go 1.26 trace\0\0\0"
    with pytest.raises(TraceError, match=r"unpack to more than \d+ MiB, .*: goalloc --max-unpacked \d+MiB"):
        TARGETS["packed"](pack(start + zeros(64)))


def test_the_limit_can_be_raised_and_lowered(tmp_path: Path) -> None:
    packed = tmp_path / "rows.jsonl.gz"
    packed.write_bytes(gzip.compress(seeds.jsonl()))
    refused = goalloc("--max-unpacked", "100B", "stats", str(packed))
    assert refused.returncode == 3
    assert "--max-unpacked" in one_line(refused)
    assert goalloc("--max-unpacked", "1KiB", "stats", str(packed)).returncode == 0
    assert "is no size" in one_line(goalloc("--max-unpacked", "lots", "stats", str(packed)))


def test_a_pack_in_a_pack_is_unpacked_once() -> None:
    with pytest.raises(TraceError, match="packed twice"):
        TARGETS["packed"](gzip.compress(gzip.compress(seeds.jsonl())))


# Recordings that would take a kernel out of its tables, or hours


def recording(*batches: bytes, types: bytes | None = None, info: bytes = b"", events: bytes = b"") -> bytes:
    """A recording of one generation, whose parts can be damaged."""
    types = b"\x00" + uvarint(1, 0x4000, 24, 16, 9) + b"main.Node" if types is None else types
    info = info or b"\x01" + uvarint(BASE, 8192, 8, 2048)
    start = event(Ev.PROC_STATUS, 0, 1) + event(Ev.GO_STATUS, 1, 1, 2) + event(Ev.SPAN, 1, 1, 14)
    return b"".join(
        (
            b"go 1.26 trace\0\0\0",
            batch(b"\x32\x08" + uvarint(15_625_000) + b"\x33" + uvarint(1, 2, 3, 4), m=(1 << 64) - 1),
            batch(start + events),
            *batches,
            batch(types, experiment=1),
            batch(info, experiment=1),
            b"\x34",
        )
    )


def refusal(data: bytes, reader: str = "exectrace") -> str:
    began = time.process_time()
    with pytest.raises(TraceError) as error:
        TARGETS[reader](data)
    assert time.process_time() - began < 60
    return str(error.value)


def test_the_recording_that_the_others_damage_is_fine() -> None:
    assert TARGETS["exectrace"](recording()) == 4


LONG = uvarint((1 << 63) - 1)
"""Added to an offset this becomes negative: a kernel that did so wrote and read far outside of its arrays."""


@pytest.mark.parametrize(
    "data",
    [
        recording(batch(b"\x04\x05" + uvarint(1) + LONG + b"text")),
        recording(batch(b"\x04\x05" + uvarint(1, 2000) + bytes(2000))),
        recording(batch(b"\x02\x03" + uvarint(1) + LONG)),
        recording(types=b"\x00" + uvarint(1, 0x4000, 24, 16) + LONG + b"main.Node"),
        recording(types=b"\x00" + uvarint(1, 0x4000, 1 << 63, 16, 1) + b"T"),
    ],
)
def test_lengths_near_2_to_the_63_are_damage(data: bytes) -> None:
    assert re.search(r"byte \d+: the table of (strings|stacks|types) is damaged", refusal(data))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (recording(types=b"\x00" + uvarint(1 << 40, 0x4000, 24, 16, 1) + b"T"), "ids up to 1099511627776"),
        (recording(info=b"\x01" + uvarint(1 << 60, 8192, 8, 2048)), "the alloc/free parameters are damaged"),
        (recording(events=event(Ev.PROCS_CHANGE, 1 << 40, 1)), "event 9 is not known, or cut off, or of a P"),
        (recording(events=event(Ev.PROC_STATUS, 1 << 63, 1)), "or of a P or page that cannot be"),
        (recording(events=event(Ev.SPAN_ALLOC, 1 << 40, 1, 14)), "of a P or page that cannot be"),
        (recording(events=b"".join(event(Ev.SPAN_ALLOC, 0, (1 << 27) + i, 0) for i in range(40))), "more than 16 TiB"),
        (recording(events=event(Ev.PROC_STATUS, 16_000, 2)
                   + (event(Ev.STW_BEGIN, 1, 1) + event(Ev.GC_END, 1) + event(Ev.PROCS_CHANGE, 1, 1) + event(Ev.STW_END))
                   * 1000), "too many to be held"),
    ],
)  # fmt: skip
def test_numbers_beyond_anything_are_damage(data: bytes, said: str) -> None:
    assert said in refusal(data)


def test_threads_and_ps_that_wait_for_each_other_without_end_are_refused() -> None:
    waiting = event(Ev.PROCS_CHANGE, 1, 1) + event(Ev.STW_BEGIN, 1, 1) + event(Ev.PROCS_CHANGE, 1, 1)
    batches = [batch(waiting, m=m + 5, clock=100 + m) for m in range(20_000)]
    assert "cannot be put in order" in refusal(recording(*batches, events=event(Ev.PROC_STATUS, 16_000, 2)))


def test_spans_over_spans_without_end_are_refused_and_do_not_hang() -> None:
    """What one event becomes had no room in a batch: the reader handed out empty ones for ever."""
    whole = b"go 1.26 trace\0\0\0" + batch(b"\x32\x08" + uvarint(15_625_000), m=(1 << 64) - 1)
    small = [event(Ev.SPAN_ALLOC, page, 1, 14) for page in range(66_000)]
    events = [event(Ev.PROC_STATUS, 0, 1), *small, event(Ev.SPAN_ALLOC, 0, 70_000, 0)]
    for at in range(0, len(events), 5000):
        whole += batch(b"".join(events[at : at + 5000]), clock=100 + 6 * at)
    assert "too many spans lie over one another" in refusal(whole + b"\x34")


def test_ids_of_strings_without_bound_do_no_harm() -> None:
    begun = event(Ev.STW_BEGIN, 1 << 63, 1 << 63) + event(Ev.STW_BEGIN, (1 << 63) - 1, 1)
    events = begun + event(Ev.GO_STOP, 1 << 62, 1 << 63)
    assert TARGETS["exectrace"](recording(events=events)) == 4


def test_a_heap_of_spans_that_cannot_be_is_refused() -> None:
    assert "2 spans that cannot be" in refusal(recording(events=event(Ev.SPAN, 0, 2, 14) + event(Ev.SPAN, 4, 2, 14)))


def test_a_heap_that_reaches_far_is_not_searched_for_hours() -> None:
    events = event(Ev.SPAN, 1 << 23, 1, 14) + b"".join(event(Ev.SPAN_ALLOC, 5 + i, 1, 14) for i in range(40))
    began = time.process_time()
    assert TARGETS["exectrace"](recording(events=events))
    assert time.process_time() - began < 30


# Memory: what SECURITY.md says of it


def grown_by(data: bytes) -> int:
    """Bytes that reading this recording takes, its kernels loaded."""
    for seed in SEEDS["exectrace"]():
        outcome(TARGETS["exectrace"], seed)
    return grown_bytes(lambda: outcome(TARGETS["exectrace"], data))


def test_events_of_two_bytes_each_take_64_times_their_length() -> None:
    ends = event(Ev.GO_DESTROY, after=1) * 30_000
    whole = recording(*(batch(ends, clock=1000 + 400_000 * i) for i in range(35)))
    assert 2 << 20 < len(whole) < grown_by(whole) < 64 * len(whole) + (32 << 20)


def test_a_heap_that_reaches_far_takes_no_memory() -> None:
    assert grown_by(recording(events=event(Ev.SPAN_ALLOC, (1 << 28) - 2, 1, 0))) < 32 << 20


def test_the_longest_span_takes_two_gib_and_a_half() -> None:
    frequency = b"\x32\x08" + uvarint(15_625_000) + b"\x33" + uvarint(1, 2, 3, 4)
    second = batch(frequency, m=(1 << 64) - 1, generation=2) + batch(event(Ev.GO_DESTROY), clock=2000, generation=2)
    longest = recording(events=event(Ev.SPAN_ALLOC, 2, (1 << 28) - 4, 0)) + second + b"\x34"
    assert 2 << 30 < grown_by(longest) < 5 << 29


# Rows, texts, logs


def test_lists_in_a_row_that_claim_to_be_long_take_no_memory() -> None:
    for claim in (b"\xdd\x00\x3f\xff\xff", b"\xdf\x00\x3f\xff\xff"):
        data = b"\x81\xa2op" + claim * 500
        assert "no msgpack" in refusal(data, "rows")
        assert grown_bytes(partial(refusal, data, "rows")) < 64 << 20


@pytest.mark.parametrize("value", ["[" * 20 + "]" * 20, '{"a":' * 20 + "1" + "}" * 20, "1" + "0" * 30, r'"\ud800"'])
def test_what_no_trace_can_keep_is_refused_in_a_header(value: str) -> None:
    row = b'{"op":"header","mood":%s}\n' % value.encode()
    assert "line 1: header: it holds" in refusal(row + b'{"op":"gc"}\n', "jsonl")


@pytest.mark.parametrize(("knob", "said"), [(["span_budget", -5], "not within"), (["nonsense", 1], "no knob 'nonsense'")])
def test_a_knob_that_cannot_be_is_refused_in_a_header(knob: list[object], said: str) -> None:
    row = msgpack.packb({"op": "header", "knobs": [knob]})
    assert said in refusal(row + msgpack.packb({"op": "gc"}), "rows")


def test_types_inside_types_without_end_are_not_looked_into() -> None:
    for deep in ("struct { a " * 20_000, "map.bucket[" * 20_000, "[1]" * 80_000):
        text = seeds.allocfree().replace(b"main.Node", deep.encode(), 1)
        assert isinstance(outcome(TARGETS["allocfree"], text), int | str)


def test_a_heap_of_which_nothing_is_known_is_no_address_log() -> None:
    log = seeds.addrlog().replace(b"0xc000008000", b"0xffffffffffff", 1)
    assert "pages are in use when it begins" in refusal(log, "addrlog")


def test_programs_without_end_in_a_gctrace_take_no_time() -> None:
    line = seeds.gctrace().splitlines()[1].decode()
    lines = [line.replace("gc 1 ", f"gc {number} ") for number in (1, 3)]
    began = time.process_time()
    TARGETS["gctrace"]("\n".join(lines * 2000).encode())
    assert time.process_time() - began < 30


# The whole program


def goalloc(*arguments: str, most_mib: int | None = None, **options: object) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, with at most `most_mib` of addresses."""

    def limited() -> None:
        if most_mib:
            resource.setrlimit(resource.RLIMIT_AS, (most_mib << 20, most_mib << 20))

    return subprocess.run(
        [sys.executable, "-m", "goalloc_cli", *arguments], capture_output=True, text=True, preexec_fn=limited, timeout=120,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "GOALLOC_DEBUG": ""}, check=False, **options,  # type: ignore[call-overload]
    )  # fmt: skip


def one_line(ran: subprocess.CompletedProcess[str]) -> str:
    """The line on the standard error, without what was said of compiling."""
    lines = [line for line in ran.stderr.splitlines() if "compil" not in line]
    assert len(lines) == 1, ran.stderr
    return lines[0]


@pytest.mark.parametrize("pack", ["gzip", "zstd"])
def test_a_bomb_of_gigabytes_takes_little_memory(pack: str, tmp_path: Path) -> None:
    """4 GiB of zeros behind the start of a recording, which is read whole."""
    bomb, start, many = tmp_path / "bomb", b"go 1.26 trace\0\0\0", 64
    if pack == "gzip":
        member = gzip.compress(zeros(64), 9, mtime=0)
        bomb.write_bytes(gzip.compress(start) + member * many)
    else:
        bomb.write_bytes(zstandard.compress(start) + zstandard.compress(zeros(64)) * many)
    ran = goalloc("stats", str(bomb), most_mib=4096)
    assert ran.returncode == 3
    assert "unpack to more than" in one_line(ran)


@pytest.mark.parametrize("reader", ["native", "exectrace", "jsonl", "saved"])
def test_a_damaged_file_is_one_line_and_exit_code_3(reader: str, tmp_path: Path) -> None:
    path = tmp_path / "damaged"
    seed = SEEDS[reader]()[0]
    path.write_bytes(seed[: len(seed) * 2 // 3] + b"\x00\xff")
    ran = goalloc("stats", str(path))
    assert ran.returncode == 3, ran.stderr
    assert one_line(ran).startswith(f"goalloc: {path}: ")


def test_a_stream_of_anything_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "noise"
    for number in range(3):
        path.write_bytes(bytes([number * 70]) + os.urandom(200))
        ran = goalloc("replay", str(path))
        assert ran.returncode == 3
        assert one_line(ran).startswith(f"goalloc: {path}: ")


def test_reading_goes_through_the_front_door_too() -> None:
    assert TARGETS["packed"](io.BytesIO(seeds.native()).getvalue()) == len(seeds.EVENTS)
