"""Beside the heap profile that the same program wrote at the same moment: profiles of ours, and what is laid on its stacks.

The recordings are those of `tests/data/held`: one with the call stack of every allocation, one without.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from pathlib import Path

import pytest

from goalloc_cli import cli
from goalloc_cli.errors import TraceError
from goalloc_cli.exporters import protobuf as pb
from goalloc_cli.importers.heapprofile import read_heap_profile
from goalloc_cli.results.exported.heapprofile import HeapProfile
from goalloc_cli.results.exported.held import IN_USE
from tests.exports.test_pprof import columns, decoded, pprof, stacks
from tests.kit.root import DATA

TRACE = {kind: DATA / "held" / f"{kind}-go1.27.msgpack" for kind in ("full", "plain")}
PROFILE = {kind: DATA / "held" / f"{kind}-go1.27.pb.gz" for kind in ("full", "plain")}
AT = {"full": "gc:3", "plain": "gc:4"}
"""The second of the program's own cycles: the profile is of that moment."""


def exported(kind: str, folder: Path, *more: str) -> Path:
    out = folder / f"{kind}.pb.gz"
    command = ["export", str(TRACE[kind]), "--to", "pprof", "--at", AT[kind], "-o", str(out), "-q", "--force"]
    assert cli.run([*command, *more]) == 0
    return out


def of_program(profile: HeapProfile) -> Counter[tuple[int, str, int]]:
    """Live objects of the program's own functions, by slot, function and line of the innermost call."""
    found: Counter[tuple[int, str, int]] = Counter()
    for sample in profile.samples:
        call = profile.calls[sample.stack]
        name = profile.functions[call.function].name
        if name.startswith("main."):
            found[sample.slot, name, call.line] += sample.objects
    return found


def test_a_line_holds_what_go_says_it_holds(tmp_path):
    """With a full recording: generics, closures, method values, goroutines, a panic that is recovered from."""
    ours = of_program(read_heap_profile(str(exported("full", tmp_path))))
    theirs = of_program(read_heap_profile(str(PROFILE["full"])))
    assert theirs.total() > 7000
    assert {key: ours[key] - theirs[key] for key in ours | theirs if ours[key] != theirs[key]} == {}


# What `go tool pprof` finds different.

STARTED = next(i for i, line in enumerate((DATA / "held" / "main.go").read_text().splitlines(), 1) if "trace.Start(" in line)
"""The line of main.main from which on the recording goes."""

Calls = tuple[tuple[str, int], ...]
"""Function and line, the innermost first."""


LOCATION = re.compile(r" +(?:(\d+): 0x\S+ (?:M=\d+ )?)? *(\S.*?) \S*?:(\d+):\d+ s=")
SAMPLE = re.compile(r"^ +(-?\d+) +-?\d+: ([\d ]*)\n(?: +(?!bytes)\S.*\n)*? *bytes:\[?(\d+)", re.MULTILINE)


def left_over(raw: str) -> Counter[tuple[Calls, int]]:
    """What `go tool pprof -raw -lines` shows: objects by call stack and slot."""
    samples, _, locations = raw.partition("Locations\n")
    calls: dict[str, list[tuple[str, int]]] = {}
    number = ""
    for found in filter(None, map(LOCATION.match, locations.partition("Mappings\n")[0].splitlines())):
        number = found[1] or number
        calls.setdefault(number, []).append((found[2], int(found[3])))
    counts: Counter[tuple[Calls, int]] = Counter()
    for objects, stack, slot in SAMPLE.findall(samples):
        counts[tuple(call for number in stack.split() for call in calls[number]), int(slot)] += int(objects)
    return Counter({key: objects for key, objects in counts.items() if objects})


def is_named(calls: Calls) -> bool:
    """Whether the documents name such a difference: what is older than the recording, and the runtime's own calls."""
    names = [name for name, _line in calls]
    before = any(name == "main.main" and line < STARTED for name, line in calls)
    older = before or names[-1] == "HeapInuse" or names[-1].startswith("runtime.doInit") or "runtime/trace.Start" in names
    return older or all(name.startswith("runtime.") for name in names)


@pytest.fixture
def difference(go, tmp_path: Path) -> Counter[tuple[Calls, int]]:
    """Our profile less Go's own."""
    ours = exported("full", tmp_path)
    return left_over(pprof(go, "-raw", "-lines", "-sample_index=inuse_objects", f"-diff_base={PROFILE['full']}", ours))


def test_go_tool_pprof_takes_one_from_the_other_and_leaves_what_is_named(difference):
    assert {calls: objects for (calls, _slot), objects in difference.items() if not is_named(calls)} == {}


def test_what_is_named_is_little(difference):
    """Of some 10,500 objects those older than the recording, and goroutines, at another of the runtime's own calls."""
    assert 0 < sum(map(abs, difference.values())) < 300


def test_four_fifths_of_the_free_slots_come_to_stand_on_stacks(tmp_path):
    laid = decoded(exported("plain", tmp_path, "--stacks", str(PROFILE["plain"])).read_bytes())
    free = {stack: values["free_slots"] for stack, values in stacks(laid).items()}
    on_stacks = sum(size for stack, size in free.items() if stack[-1] != "HeapInuse")
    assert on_stacks >= 0.8 * sum(free.values()) > 0


def test_whatever_it_is_laid_on_the_sums_stay(tmp_path):
    bare = columns(decoded(exported("plain", tmp_path).read_bytes()))
    laid = columns(decoded(exported("plain", tmp_path, "--stacks", str(PROFILE["plain"])).read_bytes()))
    assert laid == bare
    assert all(laid[name] >= 0 for name in IN_USE)


def test_what_is_estimated_says_so(tmp_path):
    laid = decoded(exported("plain", tmp_path, "--stacks", str(PROFILE["plain"])).read_bytes())
    assert any("estimated" in laid.string_table[comment] for comment in laid.comment)


# Profiles that cannot be used.


def changed(folder: Path, *more: bytes) -> Path:
    """A profile with fields added; of a field that stands twice the last counts."""
    path = folder / "changed.pb.gz"
    path.write_bytes(gzip.compress(gzip.decompress(PROFILE["plain"].read_bytes()) + b"".join(more)))
    return path


def test_a_profile_of_samples_is_refused(tmp_path, capfd):
    sampled = changed(tmp_path, pb.number(12, 524_288))
    command = ["export", str(TRACE["plain"]), "--to", "pprof", "--stacks", str(sampled), "-o", str(tmp_path / "out")]
    assert cli.run(command) == 3
    assert "runtime.MemProfileRate = 1" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "field, told",
    [
        (pb.raw(2, pb.packed(1, [999_999]) + pb.packed(2, [1, 1, 1, 1])), "without the size"),
        (pb.raw(2, pb.packed(2, [1])), "-1 objects"),
        (pb.raw(4, pb.number(1, 5) + pb.raw(4, pb.number(1, 999_999))), "function 999999"),
        (pb.raw(5, pb.number(1, 5) + pb.number(2, 999_999)), "text 999999"),
        (pb.number(2, 7), "a number where a message should be"),
        (b"\x0b", "wire type 3"),
        (b"\x12\xff\xff\x03", "longer than what it stands in"),
        (b"\x12" + b"\xff" * 11, "too long"),
        (b"\x80", "cut short"),
    ],
)
def test_a_damaged_profile_is_refused_in_one_line(field, told, tmp_path):
    with pytest.raises(TraceError, match=told) as error:
        read_heap_profile(str(changed(tmp_path, field)))
    assert "\n" not in str(error.value)


def test_every_cut_of_a_profile_is_read_or_refused(tmp_path):
    data = gzip.decompress(PROFILE["plain"].read_bytes())
    for length in range(0, len(data), 23):
        (tmp_path / "cut").write_bytes(gzip.compress(data[:length], 1))
        try:
            read_heap_profile(str(tmp_path / "cut"))
        except TraceError as error:
            assert "cut: " in str(error)


def test_what_is_no_profile_is_refused(tmp_path):
    (tmp_path / "text").write_text("heap profile: 1: 2 [3: 4] @ heap/1048576\n")
    with pytest.raises(TraceError, match="is no heap profile"):
        read_heap_profile(str(tmp_path / "text"))
