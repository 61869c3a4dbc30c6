"""Which workloads there are, and their parameters. Loads nothing, so that `goalloc synth --list` answers at once."""

from __future__ import annotations

from dataclasses import dataclass

MOST_OBJECTS = 1 << 28
"""Most objects alive at once: 2 GiB of tables."""
MOST_PROCS = 256
"""Most Ps: what the model holds at least."""
MOST_OWNERS = 64


@dataclass(frozen=True)
class Parameter:
    """A whole number that shapes a workload: `--name-with-dashes`."""

    name: str
    default: int
    least: int
    most: int
    help: str


@dataclass(frozen=True)
class Workload:
    """One kind of program."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    takes_sizes: bool = False
    """True where `--sizes FILE` can replace what it allocates."""


COMMON = (
    Parameter("procs", 4, 1, MOST_PROCS, "Ps that run the program (GOMAXPROCS)."),
    Parameter("gogc", 100, 1, 100_000, "Heap growth in percent at which a collection starts."),
    Parameter("owners", 0, 0, MOST_OWNERS, "Kinds of goroutines that allocate; 0: the trace tells of none."),
)
"""Parameters of every workload."""

LIVE = Parameter("live", 200_000, 1, MOST_OBJECTS, "Objects alive at once.")

WORKLOADS = (
    Workload(
        "steady",
        "A fixed number of live objects; each step, one of them at random is replaced.",
        (LIVE,),
        takes_sizes=True,
    ),
    Workload(
        "generational",
        "Most objects die young; the few that survive live for many collections.",
        (
            LIVE,
            Parameter("young", 10, 1, 99, "Percent of the live objects that are young."),
            Parameter("survivors", 5, 0, 100, "Percent of the young that grow old instead of dying."),
        ),
        takes_sizes=True,
    ),
    Workload(
        "lru",
        "A cache: hits make garbage, misses evict the entry not used for longest; popular entries survive.",
        (
            Parameter("entries", 50_000, 1, MOST_OBJECTS // 4, "Entries of the full cache, three objects each."),
            Parameter("keys", 200_000, 1, MOST_OBJECTS, "Keys that are asked for; few of them make most requests."),
        ),
        takes_sizes=True,
    ),
    Workload(
        "server",
        "Requests in flight, each a goroutine with a growing stack and objects that die with it; some leave a session.",
        (
            Parameter("connections", 256, 1, 1 << 20, "Requests in flight."),
            Parameter("objects", 24, 1, 64, "Most objects that a request allocates beside its own two."),
            Parameter("sessions", 10_000, 1, MOST_OBJECTS // 2, "Sessions that are kept; the oldest is dropped."),
        ),
        takes_sizes=True,
    ),
    Workload(
        "buffers",
        "Large buffers, each with a small owner, replaced at random.",
        (
            Parameter("buffers", 64, 1, MOST_OBJECTS // 2, "Buffers alive at once."),
            Parameter("largest_kib", 4096, 64, 1 << 20, "Size up to which buffers go, in KiB; the least is 32."),
        ),
    ),
    Workload(
        "growth",
        "Slices and maps that grow as append and Go's Swiss maps do, leaving ever larger arrays behind.",
        (
            Parameter("collections", 1_000, 1, MOST_OBJECTS // 32, "Slices and maps that grow at the same time."),
            Parameter("longest", 65_536, 16, 1 << 30, "Elements at which even the longest starts anew."),
        ),
    ),
    Workload(
        "phases",
        "Fill the heap, free most of it, fill it with another size: survivors hold their spans (golang/go#78962).",
        (
            Parameter("objects", 200_000, 1, MOST_OBJECTS // 16, "Objects that a phase allocates."),
            Parameter("freed", 95, 0, 100, "Percent of them that are freed at its end."),
            Parameter("kept", 3, 1, 8, "Phases whose survivors stay; then those of the oldest are freed."),
        ),
    ),
)

BY_NAME = {workload.name: workload for workload in WORKLOADS}
