"""Every difference between neighbouring releases is told: when, what, and in which section."""

from __future__ import annotations

import re

import pytest

from goalloc_cli.design.origins import ORIGINS, origins
from goalloc_cli.design.parse import design_diff
from goalloc_cli.design.releases import RELEASES
from tests.kit.root import ROOT

NEIGHBOURS = list(zip(list(RELEASES), list(RELEASES)[1:], strict=False))
SECTIONS = set(re.findall(r"^#+ (\d+(?:\.\d+)?) ", (ROOT / "docs" / "allocator.md").read_text(), re.MULTILINE))


@pytest.mark.parametrize(("before", "after"), NEIGHBOURS)
def test_each_difference_of_two_releases_has_one_origin_and_there_is_no_other(before: str, after: str) -> None:
    told = {knob for knob, changes in ORIGINS.items() if any(change.release == after for change in changes)}
    assert told == set(design_diff(RELEASES[before], RELEASES[after]))
    assert {len(origins(knob, before, after)) for knob in told} <= {1}


def test_every_section_is_there() -> None:
    assert {change.section for changes in ORIGINS.values() for change in changes} - SECTIONS == set()


def test_a_knob_turned_by_hand_tells_all_that_ever_changed_it() -> None:
    assert [change.release for change in origins("pages", None, "1.27")] == ["1.12", "1.13", "1.14"]


def test_from_a_newer_release_to_an_older_the_same_changes_are_told() -> None:
    assert origins("pages", "1.14", "1.12") == origins("pages", "1.12", "1.14")
