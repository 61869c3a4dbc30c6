"""What Linux says of a process: /proc/PID/smaps, smaps_rollup and status; and of a container: memory.stat of its cgroup.

Linux: Documentation/filesystems/proc.rst, Documentation/admin-guide/cgroup-v2.rst (Memory), cgroup-v1/memory.rst.
"""

from __future__ import annotations

import re
from collections import defaultdict

from goalloc_cli.errors import TraceError
from goalloc_cli.host.source import at_most, open_source
from goalloc_cli.importers.memstats.mappings import FIELDS, Mapping, kinds_of
from goalloc_cli.importers.memstats.read import decoded
from goalloc_cli.results.memstats import Mappings, Process

KIB = 1024
LONGEST = 256 << 20
"""Bytes of smaps: 65,530 mappings, as many as Linux allows unless told otherwise, take 90 MB."""
MOST_CGROUP = 1 << 20
MOST_KIB = 1 << 53
HEAD = re.compile(
    r"(?P<start>[0-9a-f]{1,16})-(?P<stop>[0-9a-f]{1,16}) (?P<mode>[-rwxsp]{4}) [0-9a-f]+ \S+ \d+ *"
    r"(?P<path>[^\n\r]*)\r?",
    re.ASCII,
)
FIELD = re.compile(r"(?P<name>[A-Za-z_]{1,40}): +(?P<kib>\d{1,20}) kB\r?", re.ASCII)
STATUS = {"VmRSS": "rss", "VmSwap": "swap", "RssFile": "file", "RssShmem": "shmem", "HugetlbPages": "hugetlb"}
COUNTER = re.compile(r"(?P<name>[a-z][a-z_0-9]{0,60}) (?P<number>\d{1,20})\r?", re.ASCII)


def read_process(path: str) -> Process:
    """Read any of the three.

    Raises:
        TraceError: it is none of them, or is damaged.
        OSError: it cannot be read.
    """
    return process_in(path, whole(path, LONGEST))


def process_in(path: str, text: str) -> Process:
    """The same of a text that has been read."""
    if re.search(r"^VmRSS:", text, re.MULTILINE):
        return of_status(path, text)
    mappings = mappings_in(path, text)
    if not mappings:
        raise TraceError(f"{path}: is none of /proc/PID/smaps, smaps_rollup and status")
    total = sums(mappings)
    if mappings[0].path == "[rollup]":
        return Process(path, "smaps_rollup", total["Rss"], total["LazyFree"], total["AnonHugePages"], total["Swap"], None)
    kinds: defaultdict[str, list[Mapping]] = defaultdict(list)
    for mapping, kind in zip(mappings, kinds_of(mappings), strict=True):
        kinds[kind].append(mapping)
    of_files = [m for m in mappings if m.path.startswith("/")]
    return Process(
        path, "smaps", total["Rss"], total["LazyFree"], total["AnonHugePages"], total["Swap"],
        sum(m.fields["Rss"] for m in of_files),
        tuple(together(kind, part) for kind, part in kinds.items()),
        any(m.path.startswith("[anon: Go: ") for m in mappings),
    )  # fmt: skip


def whole(path: str, most: int) -> str:
    """A text, packed or not."""
    source = open_source(path)
    try:
        data = at_most(source.stream, most)
    finally:
        source.close()
    if data is None:
        raise TraceError(f"{path}: is longer than {most >> 20:,} MiB, which no such file is")
    return decoded(data)


def mappings_in(path: str, text: str) -> list[Mapping]:
    """Each mapping, with its fields in bytes."""
    found: list[Mapping] = []
    for number, line in enumerate(text.splitlines(), 1):
        if head := HEAD.fullmatch(line):
            start, stop = int(head["start"], 16), int(head["stop"], 16)
            if stop < start:
                raise TraceError(f"{path}: line {number}: a mapping ends before it starts")
            found.append(Mapping(start, stop, head["mode"], head["path"].strip(), dict.fromkeys(FIELDS, 0)))
        elif found and (field := FIELD.fullmatch(line)) and field["name"] in FIELDS:
            found[-1].fields[field["name"]] = kib(field["kib"], f"{path}: line {number}: {field['name']}")
    return found


def kib(digits: str, told: str) -> int:
    if int(digits) > MOST_KIB:
        raise TraceError(f"{told} is {digits} kB, more than any machine has")
    return int(digits) * KIB


def sums(mappings: list[Mapping]) -> dict[str, int]:
    return {name: sum(m.fields[name] for m in mappings) for name in FIELDS}


def together(kind: str, mappings: list[Mapping]) -> Mappings:
    """Mappings of one kind."""
    total = sums(mappings)
    writable = sum(m.stop - m.start for m in mappings if "w" in m.mode)
    return Mappings(
        kind, len(mappings), sum(m.stop - m.start for m in mappings), total["Rss"], total["LazyFree"],
        total["AnonHugePages"], total["Swap"], writable,
    )  # fmt: skip


def of_status(path: str, text: str) -> Process:
    """What /proc/PID/status tells."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name in STATUS and (number := re.fullmatch(r"\s*(\d{1,20}) kB\s*", rest, re.ASCII)):
            found[STATUS[name]] = kib(number[1], f"{path}: {name}")
    if "rss" not in found:
        raise TraceError(f"{path}: its VmRSS is no number of kB")
    return Process(path, "status", found["rss"], None, None, found.get("swap"), found.get("file"))


def read_cgroup(path: str) -> dict[str, int]:
    """The counters of memory.stat, in bytes (but for events, which are counts).

    Raises:
        TraceError: it is something else.
        OSError: it cannot be read.
    """
    lines = [COUNTER.fullmatch(line) for line in whole(path, MOST_CGROUP).splitlines()]
    found = {line["name"]: int(line["number"]) for line in lines if line}
    if not {"anon", "rss", "total_rss"} & found.keys():
        raise TraceError(f"{path}: is no memory.stat of a cgroup: it has no line of anon or rss")
    if max(found.values()) > 1 << 64:
        raise TraceError(f"{path}: holds numbers above 2^64")
    return found
