"""Ids of rows become handles, the smallest that is free."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from goalloc_cli.importers.common.ids import BIRTH, DEATH, Ids
from goalloc_cli.trace.event import Kind


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([BIRTH, DEATH]), st.integers(0, 30)), max_size=200))
def test_ids_behave_like_a_dictionary_with_the_smallest_free_handle(moves):
    ids, owners, done, kinds, expected = Ids(), {}, [], [], []
    for role, key in moves:
        if (role == BIRTH) == (key in owners):
            continue
        if role == BIRTH:
            owners[key] = min(set(range(len(owners) + 1)) - set(owners.values()))
        expected.append(owners[key] if role == BIRTH else owners.pop(key))
        done.append(key)
        kinds.append(Kind.ALLOC if role == BIRTH else Kind.FREE)
    handles = np.zeros(len(done), np.uint32)
    assert ids.name(np.array(kinds, np.uint8), np.array(done, np.int64), handles)[1] == 0
    assert handles.tolist() == expected
