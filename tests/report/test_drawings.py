"""Pictures made of characters: only where a terminal can draw, true to their sums, letters without colour."""

from __future__ import annotations

import io
import re

import pytest
from rich.cells import cell_len

from goalloc_cli.report.documents.replay import document
from goalloc_cli.report.forms.drawn import HEIGHT, MOST_ROWS, SCALE, areas, bars, cells, drawn, points
from goalloc_cli.report.forms.layout import Paper
from goalloc_cli.report.forms.render import look, to_csv, to_markdown, to_text
from goalloc_cli.report.forms.screen import paper_of
from goalloc_cli.report.pictures.layers import BACKED, LAYERS, Layer
from goalloc_cli.report.reports import blocks
from goalloc_cli.report.tables.blocks import Areas, Bars, Cells, Drawing, Points
from tests.kit import report_samples

A = Layer("a", "", "a", (), "#111111", "a", "▓")
B = Layer("b", "", "b", (), "#222222", "b", "▒")
FIND = Bars("", (A, B), [("one", (30, 10), "40"), ("two", (10, 0), "10")])
RISE = Areas("Rise", (A, B), [0.0, 0.5, 0.999], [[0, 50, 100], [0, 0, 100]], [0.5], "GC")
MAP = Cells("Map", (A, B), [0] * 100 + [1] * 100, 8192)
COST = Points("Cost", "memory", "work", [(100, 1.0, "low", True), (200, 0.5, "high", True), (200, 1.0, "bad", False)])
ALL = (FIND, RISE, MAP, COST)


def plain(lines: list[list[tuple[str, str]]]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


@pytest.mark.parametrize("block", ALL, ids=lambda block: type(block).__name__)
@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("unicode", [False, True])
def test_no_picture_is_wider_than_the_terminal(block: Drawing, width: int, colour: bool, unicode: bool) -> None:
    lines = plain(drawn(block, width, colour, unicode))
    assert lines
    assert max(cell_len(line) for line in lines[1:]) <= width
    assert unicode or "".join(lines).isascii()


def test_a_pipe_gets_no_picture() -> None:
    found = blocks(document(report_samples.outcome()), ("all",))
    assert [block for block in found if isinstance(block, Drawing)]
    for text in (to_text(found, Paper()), to_markdown(found), to_csv(found)):
        assert not set(text) & set("█▓▒░▚╵")


def test_the_first_screen_has_two_bars_where_there_is_a_terminal() -> None:
    shown = to_text(blocks(document(report_samples.outcome()), ()), Paper(80, drawings=True))
    assert [line.split()[3][0] for line in shown.splitlines() if line.startswith("  at the ")] == ["█", "█"]


def test_bars_are_as_long_as_their_sums() -> None:
    first, second = plain(bars(FIND, 60, False, False))[:2]
    room = 60 - 2 - 11 - 1 - 4
    assert (first.count("a"), first.count("b")) == (round(room * 30 / 40), room - round(room * 30 / 40))
    assert re.sub(r"[^ab]", "", second) == "a" * round(room * 10 / 40)


def test_layers_stand_on_each_other_and_rise_over_time() -> None:
    lines = plain(areas(RISE, 60, False, False))[1 : HEIGHT + 1]
    right = [line[SCALE:].ljust(48)[47] for line in lines]
    assert right == ["b"] * 5 + ["a"] * 5
    assert [line[SCALE:].ljust(48)[0] for line in lines] == [" "] * HEIGHT


def test_a_character_of_two_layers_has_two_colours() -> None:
    lines = areas(Areas("", (A, B), [0.0, 0.5], [[45, 45], [155, 155]]), 40, True, True)
    styles = {style for line in lines[1 : HEIGHT + 1] for _, style in line}
    assert f"={A.colour} on {B.colour}" in styles


def test_a_map_has_every_cell_and_few_lines() -> None:
    lines = plain(cells(MAP, 52, False, False))
    assert "".join(line.strip() for line in lines[1:5]) == "a" * 100 + "b" * 100
    huge = plain(cells(Cells("Map", (A, B), [0] * 16_384, 8192), 80, False, False))
    assert len(huge) <= MOST_ROWS + 2


def test_with_colours_a_character_holds_two_cells() -> None:
    lines = cells(MAP, 52, True, True)
    assert {text[0] for line in lines[1:-1] for text, style in line if style.startswith("=")} == {"▀"}
    assert lines[1][1][1] == f"={A.colour} on {A.colour}"


def test_points_lie_where_they_cost() -> None:
    lines = plain(points(COST, 60, False))
    assert lines[1].rstrip().endswith("o")
    assert "* low" in lines[1]
    assert lines[1 + HEIGHT // 2].rstrip().endswith("high *")


def test_nothing_is_drawn_of_nothing() -> None:
    for block in (Bars("", (A,), [("x", (0,), "")]), Areas("", (A,), [], [[]]), Points("", "", "", [])):
        assert drawn(block, 80, True, True) == []


@pytest.mark.parametrize(("term", "many"), [("xterm", False), ("xterm-256color", True)])
def test_of_sixteen_colours_letters_are_better(term: str, many: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.delenv("COLORTERM", raising=False)
    assert paper_of(io.StringIO(), colour=True).colour == many


def test_a_style_of_its_own_is_in_richs_words() -> None:
    assert look("=#111111 on #222222") == "#111111 on #222222"
    assert look("title") == "bold cyan"


@pytest.mark.parametrize("attribute", ["letter", "shade", "colour", "short"])
def test_layers_can_be_told_apart(attribute: str) -> None:
    assert len({getattr(layer, attribute) for layer in LAYERS}) == len(LAYERS)
    assert all(len(layer.letter) == len(layer.shade) == 1 for layer in BACKED)
