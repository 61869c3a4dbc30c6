"""What people have in hand: MemStats in every form, and what the system says of the process.

The files in tests/data/inhand are of real programs, made by record.sh there; the programs' own states are their causes.
Texts of older releases are typed after public threads, and say which.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import zstandard

from goalloc_cli import cli
from goalloc_cli.errors import TraceError
from goalloc_cli.host.source import open_source
from goalloc_cli.importers.memstats.process import read_cgroup, read_process
from goalloc_cli.importers.memstats.read import is_memstats, read_memstats
from goalloc_cli.results.memstats import Dump
from tests.kit.root import DATA as TEST_DATA

DATA = TEST_DATA / "inhand"
FORMS = ("plus-v.txt", "v.txt", "memstats.json", "expvar.json", "heap.txt", "metrics.txt", "metrics.json", "scrape.txt")
DUMPS = [path for form in FORMS for path in sorted(DATA.glob(f"*[0-9]-{form}.zst"))]
SYSTEMS = ("HeapSys", "StackSys", "MSpanSys", "MCacheSys", "BuckHashSys", "GCSys", "OtherSys")
MIB = 1 << 20


@pytest.fixture
def read(tmp_path: Path):
    def reading(text: str | bytes) -> Dump:
        path = tmp_path / "text"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_memstats(open_source(path))

    return reading


def plain(path: Path) -> str:
    return zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read().decode()


def refused(read, text: str | bytes) -> str:
    with pytest.raises(TraceError) as error:
        read(text)
    return str(error.value)


# Real dumps.


@pytest.mark.parametrize("path", DUMPS, ids=lambda path: path.name)
def test_every_form_is_known_by_its_first_bytes(path: Path) -> None:
    assert is_memstats(plain(path).encode()[: 1 << 16])


@pytest.mark.parametrize("path", DUMPS, ids=lambda path: path.name)
def test_the_parts_of_sys_are_sys_to_the_byte(path: Path) -> None:
    last = read_memstats(open_source(path)).last
    assert sum(last.values[name].value for name in SYSTEMS) == last.values["Sys"].value
    assert all(last.values[name].exact for name in (*SYSTEMS, "Sys"))


@pytest.mark.parametrize("path", sorted(DATA.glob("live-*-plus-v.txt.zst")), ids=lambda path: path.name)
def test_the_prints_of_one_moment_hold_the_same(path: Path) -> None:
    """`%v`, `%+v` and JSON of one MemStats; the JSON is read by Python's own reader here."""
    named, bare = (read_memstats(open_source(str(path).replace("plus-v", form))).last for form in ("plus-v", "v"))
    said = json.loads(plain(Path(str(path).replace("plus-v.txt", "memstats.json"))))
    assert {name: amount.value for name, amount in named.values.items()} == {
        name: said[name] for name in named.values
    } == {name: amount.value for name, amount in bare.values.items()}  # fmt: skip
    assert [tuple(row.values()) for row in said["BySize"]] == named.by_size == bare.by_size


@pytest.mark.parametrize("path", sorted(DATA.glob("*-heap.txt.zst")), ids=lambda path: path.name)
def test_a_heap_profile_with_debug_1_holds_memstats_at_its_end(path: Path) -> None:
    said = dict(re.findall(r"^# (?!GCCPUFraction)(\w+) = (\d+)$", plain(path), re.MULTILINE))
    found = read_memstats(open_source(path))
    assert (found.form, {n: a.value for n, a in found.last.values.items() if n in said}) == (
        "heap?debug=1", {name: int(number) for name, number in said.items()},
    )  # fmt: skip


def test_a_scrape_tells_the_release_and_the_rss() -> None:
    found = read_memstats(open_source(DATA / "live-go1.27.3-scrape.txt.zst")).last
    (rss,) = re.findall(r"^process_resident_memory_bytes (\S+)$", plain(DATA / "live-go1.27.3-scrape.txt.zst"), re.MULTILINE)
    assert (found.version, found.get("process RSS")) == ("1.27.3", int(float(rss)))


def test_whole_mebibytes_leave_open_what_they_were_cut_from() -> None:
    cut = read_memstats(open_source(DATA / "live-go1.27.3-mib.txt.zst")).last.values["Sys"]
    whole = read_memstats(open_source(DATA / "live-go1.27.3-plus-v.txt.zst")).last.values["Sys"]
    assert cut.low <= whole.value <= cut.high
    assert cut.high - cut.low == MIB - 1


# Texts, typed.


@pytest.mark.parametrize(
    ("text", "inuse"),
    [
        ("HeapInuse = 17 MiB\nHeapIdle = 685.4375 MiB\n", range(17 * MIB, 18 * MIB)),
        ("HeapInuse = 17 MiB\nHeapIdle = 685.437521421875 MiB\n", range(17 * MIB, 17 * MIB + 1)),
        ("HeapInuse: 12.5MB, HeapIdle: 1MB", range(12_450_000, 12 * MIB + MIB * 55 // 100 + 2)),
        ("heap_inuse=17825792 heap_idle=4096", range(17825792, 17825793)),
        ("level=info msg=mem m.HeapInuse=0x1100000 m.HeapIdle=0x0", range(17 * MIB, 17 * MIB + 1)),
        ('{"level":"info","heapInuse":17825792,"heapIdle":1}', range(17825792, 17825793)),
        ("runtime.MemStats{Alloc:0x1, HeapIdle:0x2, HeapInuse:0x1100000}", range(17 * MIB, 17 * MIB + 1)),
        ("/memory/classes/heap/objects:bytes 17825791\n/memory/classes/heap/unused:bytes: 1\n",
         range(17 * MIB, 17 * MIB + 1)),
        ('[{"name":"/memory/classes/heap/objects:bytes","value":17825791},'
         '{"name":"/memory/classes/heap/unused:bytes","value":1}]', range(17 * MIB, 17 * MIB + 1)),
    ],
    ids=["cut", "floats", "megabytes", "snake", "hexadecimal", "JSON", "Go syntax", "metrics", "metrics in JSON"],
)  # fmt: skip
def test_numbers_are_read_as_people_print_them(text: str, inuse: range, read) -> None:
    found = read(text).last.values["HeapInuse"]
    assert (found.low, found.high) == (inuse.start, inuse.stop - 1)


def test_a_log_of_several_moments_keeps_the_first_and_the_last(read) -> None:
    found = read("".join(f"t={i} Alloc = {i} Sys = {100 + i}\n" for i in range(1, 8)))
    assert (found.moments, found.first.get("Alloc"), found.last.get("Sys")) == (7, 1, 107)


def test_of_a_federation_the_first_process_is_read(read) -> None:
    text = "".join(f'go_memstats_{name}_bytes{{instance="{i}"}} {i}e6\n' for name in ("sys", "heap_inuse") for i in (1, 2))
    found = read(text)
    assert (found.last.get("Sys"), [note[:31] for note in found.notes]) == (10**6, ["The scrape holds several proces"])


def test_go_1_4_already_printed_the_same_tail(read) -> None:
    """After golang/go#8832, of 2014: fewer names, no pauses' ends."""
    text = """heap profile: 1: 64 [2: 96] @ heap/1048576
1: 64 [2: 96] @ 0x40a8ee 0x4023e1

# runtime.MemStats
# Alloc = 1053744
# TotalAlloc = 9361808
# Sys = 70469880
# HeapAlloc = 1053744
# HeapSys = 63356928
# HeapIdle = 61497344
# HeapInuse = 1859584
# Stack = 2654208 / 2654208
# MSpan = 22104 / 81920
# MCache = 1200 / 16384
# NumGC = 21
"""
    last = read(text).last
    assert (last.get("StackInuse"), last.get("MSpanSys"), last.get("NumGC")) == (2654208, 81920, 21)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("HeapSys = -5\nHeapInuse = 3\n", "HeapSys is -5"),
        ("HeapSys = NaN\nHeapInuse = 3\n", "HeapSys is nan"),
        ("HeapSys = Inf\nHeapInuse = 3\n", "HeapSys is inf"),
        ("HeapSys = 99999999999999999999999\nHeapInuse = 3\n", "2^64"),
        ("HeapSys = 99999999999 TiB\nHeapInuse = 3\n", "HeapSys"),
        ('{"HeapSys": NaN, "HeapInuse": 3}', "HeapSys is nan"),
        ('{"HeapSys": -1, "HeapInuse": 3}', "HeapSys is -1"),
        ('{"HeapSys": 1e300, "HeapInuse": 3}', "2^64"),
        ("go_memstats_sys_bytes NaN\ngo_memstats_heap_inuse_bytes 1\n", "is nan"),
        ("go_memstats_sys_bytes -1\n", "is -1"),
        ('{"HeapSys": 1, "HeapInuse": 3, "BySize": [{"Size": -8}]}', "BySize Size is -8"),
        ('{"HeapSys": 1, "HeapInuse": 3, "BySize": [7]}', "BySize holds something else"),
        ("nothing at all of it", "nothing of runtime.MemStats"),
        ("[" * 100_000, "nothing of runtime.MemStats"),
    ],
)
def test_numbers_that_go_cannot_have_are_refused_in_a_line(text: str, said: str, read) -> None:
    told = refused(read, text)
    assert said in told
    assert "\n" not in told
    assert len(told) < 300


def test_an_input_without_end_is_refused(tmp_path: Path, read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goalloc_cli.importers.memstats.read.LONGEST", 1 << 16)
    assert "is longer than" in refused(read, "HeapSys = 5\n" * 10_000)


# What the system says.


@pytest.mark.parametrize("path", sorted(DATA.glob("*-smaps.txt.zst")), ids=lambda path: path.name)
def test_the_kinds_of_mappings_are_the_rss_to_the_kib(path: Path) -> None:
    """The naive sum of all lines is the judge."""
    rss = sum(map(int, re.findall(r"^Rss: +(\d+) kB$", plain(path), re.MULTILINE)))
    found = read_process(str(path))
    assert (found.rss_bytes, sum(kind.rss_bytes for kind in found.kinds)) == (rss * 1024, rss * 1024)


@pytest.mark.parametrize("path", sorted(DATA.glob("*-smaps.txt.zst")), ids=lambda path: path.name)
def test_gos_arenas_are_found_by_their_place(path: Path) -> None:
    """They are as large as MemStats says, but for the GC's own buffers in them."""
    last = read_memstats(open_source(str(path).replace("smaps.txt", "plus-v.txt"))).last
    (heap,) = [kind for kind in read_process(str(path)).kinds if kind.kind == "go_heap"]
    own = last.values["HeapSys"].value + last.values["StackInuse"].value
    assert own <= heap.writable_bytes <= own + last.values["GCSys"].value


@pytest.mark.parametrize("path", sorted(DATA.glob("*-smaps.txt.zst")), ids=lambda path: path.name)
def test_the_binary_and_with_cgo_the_c_library_are_found_by_their_files(path: Path) -> None:
    kinds = {kind.kind for kind in read_process(str(path)).kinds}
    assert kinds - {"anonymous", "kernel"} == {"binary", "go_heap", "main_stack"} | (
        {"library", "c_heap"} if path.name.startswith("cgo") else set()
    )


def test_what_lies_right_behind_the_binary_is_its_bss(tmp_path: Path) -> None:
    path = tmp_path / "smaps"
    path.write_text(
        "400000-500000 rw-p 0 fe:00 7   /app\nRss: 4 kB\n500000-600000 rw-p 0 00:00 0 \nRss: 8 kB\n"
        "700000-800000 rw-p 0 00:00 0 \nRss: 16 kB\n"
    )
    assert {kind.kind: kind.rss_bytes >> 10 for kind in read_process(str(path)).kinds} == {"binary": 12, "anonymous": 16}


def test_mappings_that_go_has_named_are_told_by_name(tmp_path: Path) -> None:
    """As kernels with CONFIG_ANON_VMA_NAME print what Go 1.25 and later name (runtime/mem_linux.go)."""
    names = {
        0x400: "/app",
        0xC000000: "[anon: Go: heap]",
        0xC010000: "[anon: Go: gc bits]",
        0xC020000: "[anon: Go: heap reservation]",
        0xC030000: "",
    }
    text = "".join(
        f"{start:x}000-{start + 16:x}000 rw-p 00000000 00:00 0    {name}\nRss:  {4 * (i + 1)} kB\nLazyFree: {i} kB\n"
        for i, (start, name) in enumerate(names.items())
    )
    path = tmp_path / "smaps"
    path.write_text(text)
    found = read_process(str(path))
    assert (found.named, {kind.kind: (kind.rss_bytes, kind.lazy_free_bytes) for kind in found.kinds}) == (
        True,
        {"binary": (4096, 0), "go_heap": (24 * 1024, 4096), "go_runtime": (12288, 2048), "anonymous": (20480, 4096)},
    )


@pytest.mark.parametrize("form", ["smaps_rollup", "status"])
def test_smaps_rollup_and_status_tell_the_rss(form: str) -> None:
    path = DATA / f"live-go1.27.3-{form}.txt.zst"
    (rss,) = re.findall(r"^(?:Rss|VmRSS):\s+(\d+) kB$", plain(path), re.MULTILINE)
    assert read_process(str(path)).rss_bytes == int(rss) * 1024


@pytest.mark.parametrize(
    "text",
    [
        "nothing\n",
        "2000-1000 rw-p 0 00:00 0\nRss: 1 kB\n",
        f"1000-2000 rw-p 0 00:00 0\nRss: {'9' * 20} kB\n",
        "VmRSS: lots\n",
        "",
    ],
)
def test_smaps_that_cannot_be_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "smaps"
    path.write_text(text)
    with pytest.raises(TraceError):
        read_process(str(path))


def test_memory_stat_of_both_kinds_of_cgroups_is_read(tmp_path: Path) -> None:
    for text in ("anon 4096\nfile 8192\n", "cache 8192\nrss 4096\n"):
        path = tmp_path / "memory.stat"
        path.write_text(text)
        assert sorted(read_cgroup(str(path)).values()) == [4096, 8192]


# On the command line.


def test_the_total_of_every_report_is_shown_in_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("table", "csv", "markdown", "json"):
        assert cli.run(["stats", str(DATA / "live-go1.27.3-expvar.json.zst"), "--report", "all", "--format", form]) == 0


def test_a_saved_result_is_shown_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["stats", str(DATA / "live-go1.27.3-scrape.txt.zst")]
    cli.run(args)
    then = capsys.readouterr().out
    saved = tmp_path / "saved"
    assert cli.run([*args, "--format", "msgpack", "-o", str(saved)]) == 0
    assert cli.run(["stats", str(saved)]) == 0
    assert capsys.readouterr().out == then


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["live-go1.27.3-scrape.txt.zst", "--beside", "x"], "--beside does not go with"),
        (["live-go1.27.3-scrape.txt.zst", "--rss", "much"], "'much' is no size"),
        (["../gctrace/lru-go1.23.txt", "--rss", "5MiB"], "--rss does not go with"),
        (["live-go1.27.3-scrape.txt.zst", "../gctrace/lru-go1.23.txt"], "several inputs go together where all hold"),
        (["live-go1.27.3-scrape.txt.zst", "--report", "cycles"], "there is no report 'cycles' of this"),
    ],
)
def test_what_does_not_go_together_is_exit_2(
    args: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(DATA)
    assert (cli.run(["stats", *args]), said in capsys.readouterr().err) == (2, True)
