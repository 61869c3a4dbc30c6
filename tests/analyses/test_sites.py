"""Which line a call stack is counted under."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from goalloc_cli.analyses.sites import SiteCounter
from goalloc_cli.trace.event import Call, Function, Kind
from tests.kit.batches import batch

GO = "/go/src/runtime/"


@pytest.mark.parametrize(
    ("stack", "site"),
    [
        ([("runtime.newobject", GO + "malloc.go"), ("main.f", "/a/main.go")], "main.f"),
        ([("internal/bytealg.MakeNoZero", GO + "slice.go"), ("strings.(*Builder).grow", "/go/src/strings/builder.go")],
         "strings.(*Builder).grow"),
        ([("internal/runtime/maps.NewMap", "/go/src/internal/runtime/maps/map.go"), ("main.f", "/a/main.go")], "main.f"),
        ([("main.f", "/home/src/runtime/main.go")], "main.f"),
        ([("runtime.malg", GO + "proc.go"), ("runtime.mallocgc", GO + "malloc.go"), ("main.f", "/a/f.go")], "runtime.malg"),
        ([("runtime.forcegchelper", GO + "proc.go")], "runtime.forcegchelper"),
    ],
)  # fmt: skip
def test_a_site_is_the_innermost_call_outside_of_the_runtime(stack: list[tuple[str, str]], site: str) -> None:
    functions = [Function("runtime.main", GO + "proc.go"), *(Function(*call) for call in stack)]
    calls = [Call(2 + at, 7, len(stack) - 1 - at) for at in reversed(range(len(stack)))]
    counter = SiteCounter()
    rows = batch([(Kind.ALLOC, 0, 0, 24, 0, 0)])
    counter.add(replace(rows, stack=np.array([len(stack)], np.uint32), new_functions=functions, new_calls=calls))
    assert [found.function for found in counter.sites()] == [site]
