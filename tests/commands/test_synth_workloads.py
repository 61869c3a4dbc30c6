"""Each workload of `goalloc synth` earns its name."""

from __future__ import annotations

import numpy as np

from goalloc_cli.analyses.describe import describe
from goalloc_cli.analyses.replay import replay
from goalloc_cli.design.releases import release
from goalloc_cli.synth import lru
from goalloc_cli.synth.make import synthesize
from goalloc_cli.synth.mix import set_shapes
from goalloc_cli.synth.world import handles, new_world
from goalloc_cli.trace.event import KIND_MASK, NOSCAN, Kind
from tests.kit.workloads import SMALL, events, lives


def test_steady_keeps_its_number_of_live_objects() -> None:
    kind = events("steady", 100_000)["kind"] & KIND_MASK
    live = np.cumsum((kind == Kind.ALLOC).astype(int) - (kind == Kind.FREE))
    assert set(live[6_100:].tolist()) == {2_999, 3_000}


def test_generational_objects_mostly_die_before_their_second_collection() -> None:
    dead = [second - first for _, _, first, second in lives("generational", 1_000_000)]
    assert np.mean(np.array(dead) < 2) > 0.8


def test_generational_survivors_live_for_many_collections() -> None:
    dead = [second - first for _, _, first, second in lives("generational", 1_000_000)]
    assert 0.005 < np.mean(np.array(dead) >= 4) < 0.1


def test_a_full_lru_evicts_an_entry_for_each_that_it_takes() -> None:
    kind = events("lru", 300_000)["kind"] & KIND_MASK
    live = np.cumsum((kind == Kind.ALLOC).astype(int) - (kind == Kind.FREE))
    assert 5_996 < live[100_000:].min() <= live[100_000:].max() <= 6_001


def test_popular_lru_entries_outlive_the_others_by_far() -> None:
    ages = [died - born for born, died, *_ in lives("lru", 1_000_000) if died - born > 1]  # the rest are replies
    assert max(ages) > 10 * np.median(ages)


def test_an_lru_keeps_all_its_entries_in_the_order_of_use() -> None:
    made = lru.plan(entries=500, keys=2_000)
    world = new_world("lru", seed=1, procs=1, gogc=100)
    set_shapes(world, made.shapes)
    made.kernel(world, handles(made.most_objects), *made.state)
    cache, of_key, links, _ = made.state
    order = [int(cache.newest)]
    while links[order[-1], 1] >= 0:
        order.append(int(links[order[-1], 1]))
    assert (sorted(order), order[-1]) == (sorted(of_key[of_key >= 0].tolist()), int(cache.oldest))


def test_a_server_has_a_stack_for_each_request_in_flight() -> None:
    stats = describe(synthesize("server", 300_000, parameters=SMALL["server"]))
    assert (stats.stacks.peak, min(stats.stacks.by_size)) == (64, 2048)


def test_server_stacks_grow_by_doubling() -> None:
    found = events("server", 200_000)
    kind, ids, size = found["kind"], found["id"], found["size"]
    bytes_of = np.zeros(ids.max() + 1, np.int64)
    ratios = set()
    for at in np.flatnonzero(kind == Kind.STACK_ALLOC)[:-1]:
        bytes_of[ids[at]] = size[at]
        if kind[at + 1] == Kind.STACK_FREE:  # the goroutine has moved
            ratios.add(size[at] / bytes_of[ids[at + 1]])
    assert ratios == {2.0}


def test_a_request_takes_its_objects_with_it() -> None:
    """Before a goroutine's last stack is freed come, without a break, the deaths of all that it allocated."""
    found = events("server", 200_000, connections=1)
    kind = (found["kind"] & KIND_MASK).tolist()
    kinds = [k for k in kind if k not in (Kind.TIME, Kind.GC_START, Kind.GC_END)]
    ends = [i for i, k in enumerate(kinds) if k == Kind.STACK_FREE and kinds[i - 1] == Kind.FREE]
    runs = [next(j for j in range(1, 100) if kinds[i - j] != Kind.FREE) - 1 for i in ends]
    assert min(runs) >= 3 and max(runs) >= 20


def test_nearly_all_bytes_of_buffers_are_large_objects() -> None:
    stats = describe(synthesize("buffers", 50_000, parameters=SMALL["buffers"]))
    large = sum(bucket.object_bytes for bucket in stats.sizes if bucket.upto > 32768)
    assert large > 0.99 * stats.alloc_bytes


def test_a_growing_slice_is_replaced_by_a_larger_array() -> None:
    found = events("growth", 300_000, collections=1)
    kind, ids, size = found["kind"] & KIND_MASK, found["id"], found["size"]
    held = np.zeros(ids.max() + 1, np.int64)
    ratios = []
    for at in range(len(kind) - 1):
        if kind[at] == Kind.ALLOC:
            held[ids[at]] = size[at]
            if kind[at + 1] == Kind.FREE and ids[at + 1] != ids[at] and kind[at - 1] != Kind.ALLOC and found["arg"][at] <= 4:
                ratios.append(size[at] / held[ids[at + 1]])
    assert 1.2 < min(ratios) < max(ratios) <= 2.3 and np.median(ratios) == 2


def test_growth_follows_the_capacities_of_append() -> None:
    """[]int, appended one by one by Go 1.27: capacities 1 to 848."""
    found = events("growth", 300_000, collections=1, longest=1 << 20)
    names = [t.name for t in next(iter(synthesize("growth", 1).batches)).new_types]
    sizes = found["size"][(found["kind"] == Kind.ALLOC | NOSCAN) & (found["arg"] == names.index("int") + 1)].tolist()
    go = [8 * n for n in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 848)]
    at = next(i for i in range(len(sizes)) if sizes[i] == 8 and sizes[i + 10 : i + 11] == [8 * 848])
    assert sizes[at : at + 11] == go


def test_phases_free_most_of_what_they_filled() -> None:
    kind = events("phases", 300_000)["kind"] & KIND_MASK
    marks = np.flatnonzero(kind == Kind.CHECKPOINT)
    assert 0.94 < np.count_nonzero(kind[marks[0] : marks[1]] == Kind.FREE) / 10_000 < 0.96


def test_survivors_of_a_phase_hold_its_spans() -> None:
    """The fragmentation trap: the first phase's class is nearly empty, yet holds most of its spans."""
    trace = synthesize("phases", 1_300_000, parameters={"objects": 300_000})
    outcome = replay(trace, release("1.27"), design_name="go1.27")
    first = next(row for row in outcome.classes if row["elem_size"] == 32 and row["spc"] & 1)
    assert (first["live_objects"] < 0.06 * first["slots"], first["slots"] > 0.9 * 300_000) == (True, True)
