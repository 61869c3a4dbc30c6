"""The page as text: one file, sealed, the same for the same input, true to the tables. (In a browser: test_page_browser.)"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from goalloc_cli.cli import run
from goalloc_cli.errors import TraceError
from goalloc_cli.host.source import open_source
from goalloc_cli.report.documents.saved import read_saved, shown
from goalloc_cli.report.forms.html.alltables import MOST_CELLS, tables_of
from goalloc_cli.report.forms.html.others import with_labels
from goalloc_cli.report.forms.html.page import HERE, inside_html, page
from goalloc_cli.report.forms.html.svg import along, band, line, picture, steps, ticks
from goalloc_cli.report.forms.html.where import moment
from goalloc_cli.report.forms.output import encoded
from goalloc_cli.report.pictures.layers import LAYERS, size_of
from goalloc_cli.report.tables.blocks import Table, count
from tests.kit import report_samples
from tests.kit.commands import goalloc
from tests.kit.hostile import hostile_trace
from tests.kit.pages import ORDERS, Elements, data, document_of, page_of, scripts
from tests.kit.root import ROOT

Document = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Document:
    return document_of(ORDERS)


@pytest.fixture(scope="module")
def text(document: Document) -> str:
    return page(document)


# One file, sealed.


def test_the_policy_allows_our_script_and_style_alone(text: str) -> None:
    (policy,) = [m["content"] for m in Elements(text).of("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    script, style = scripts(text)[1], re.findall(r"<style>(.*?)</style>", text, re.DOTALL)[0]
    hashes = ["sha256-" + base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (script, style)]
    assert policy == (
        f"default-src 'none'; script-src '{hashes[0]}'; style-src '{hashes[1]}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def test_nothing_is_loaded_and_nothing_runs_but_the_script(text: str) -> None:
    found = Elements(text)
    for tag, attributes in found.found:
        assert "style" not in attributes, tag
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "action", "srcset", "data"):
            assert re.match(r"data:image/png;base64,|#[a-z]+$|$", attributes.get(name, "")), (tag, attributes)
    assert [one.get("type", "") for one in found.of("script")] == ["application/json", ""]
    assert {"iframe", "object", "embed", "base", "link", "form"} & {tag for tag, _ in found.found} == set()


def test_script_and_style_are_small_and_touch_no_markup() -> None:
    script, style = (HERE / "page.js").read_text(), (HERE / "page.css").read_text()
    assert (len(script) <= 30_000, len(style) <= 12_000) == (True, True)
    assert re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|fetch\(", script) == []
    assert "url(" not in style.replace("url(#hatch)", "")


def test_a_page_is_below_a_megabyte(text: str) -> None:
    assert len(text.encode()) < 500_000


def test_the_same_input_gives_the_same_bytes(text: str, tmp_path: Path) -> None:
    """Wherever it lies, and however long the replay took."""
    copy = tmp_path / Path(ORDERS).name
    copy.write_bytes(Path(ORDERS).read_bytes())
    assert page_of(copy) == text


def test_nothing_in_the_data_can_end_their_element() -> None:
    told = inside_html(["</script>", "<!--", "&lt;", "\u2028"])
    assert not set(told) & set("<>&\u2028")
    assert json.loads(told) == ["</script>", "<!--", "&lt;", "\u2028"]


# True to the tables.


@pytest.mark.parametrize(("bar", "when"), [(0, "peak"), (1, "end")])
def test_the_bars_are_the_table_to_the_byte(document: Document, text: str, bar: int, when: str) -> None:
    parts = [rect for rect in Elements(text).of("rect") if "data-bytes" in rect]
    first = [at for at, rect in enumerate(parts) if rect["data-key"] == "requested"]
    own = parts[first[bar] : first[bar + 1] if bar == 0 else None]
    ledger = sum(int(rect["data-bytes"]) for rect in own if rect["data-key"] in {layer.key for layer in LAYERS[:8]})
    assert ledger == document["fragmentation"][when]["heap_inuse"]
    assert {rect["data-key"]: int(rect["data-bytes"]) for rect in own} == {
        layer.key: size for layer in LAYERS if (size := size_of(layer, moment(document, when)))
    }


@pytest.mark.parametrize("when", ["peak", "end"])
def test_the_first_layers_are_heap_alloc(document: Document, when: str) -> None:
    at = moment(document, when)
    assert sum(size_of(layer, at) for layer in LAYERS[:5]) == document["summary"][when]["memstats"]["HeapAlloc"]


def test_the_script_has_the_peak_of_the_report(document: Document, text: str) -> None:
    columns = data(text)["columns"]
    sums = {name: [sum(values[: i + 1]) for i in range(len(values))] for name, values in columns.items()}
    at = sums["event"].index(document["summary"]["peak"]["event"])
    assert sums["heap_inuse"][at] == document["summary"]["peak"]["memstats"]["HeapInuse"] == max(sums["heap_inuse"])


def test_long_tables_are_cut_and_say_so() -> None:
    rows = [(n,) for n in range(MOST_CELLS)]
    (cut,) = tables_of([Table("t", "Long", (count("n", "n"),), rows)])
    assert len(cut["rows"]) <= 120
    assert "--format csv has them all" in cut["notes"][0]


def test_the_sample_page_is_fresh(text: str) -> None:
    """docs/orders.html; GOALLOC_GOLDEN=write makes it anew."""
    sample = ROOT / "docs" / "orders.html"
    if os.environ.get("GOALLOC_GOLDEN") == "write":
        sample.write_text(text, encoding="utf-8")
    assert sample.read_text(encoding="utf-8") == text


# From documents.


def test_a_saved_replay_gives_the_same_page(document: Document, text: str, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    saved.write_bytes(encoded(document, (), "msgpack"))
    again = read_saved(open_source(str(saved)))
    assert again is not None
    assert page(again) == text


def test_a_document_without_pictures_gives_a_page_of_its_timeline() -> None:
    found = Elements(page(report_text()))
    assert [path for path in found.of("path") if path.get("data-layer") == "requested"]
    assert found.of("canvas") == []


def report_text() -> Document:
    from goalloc_cli.report.documents.replay import document as made

    return made(report_samples.outcome())


@pytest.mark.parametrize(
    "damage",
    [
        lambda found: found["map"].update(cells=1 << 40),
        lambda found: found["map"].update(data="AAAA"),
        lambda found: found["series"]["columns"].update(event=["x"]),
        lambda found: found["series"].update(columns={name: [1] * 9999 for name in found["series"]["columns"]}),
        lambda found: found.pop("released"),
    ],
    ids=["huge map", "other map", "a name for a number", "too many samples", "a part is missing"],
)
def test_a_document_that_lies_is_refused(document: Document, damage: Any) -> None:
    lies = json.loads(json.dumps(document))
    damage(lies)
    with pytest.raises(TraceError, match="damaged"):
        shown("x", lambda: page(lies))


@pytest.mark.parametrize(
    "arguments",
    [
        ("stats", "traces/orders-go1.27.msgpack"),
        ("stats", "tests/data/gctrace/lru-go1.27.txt"),
        ("stats", "tests/data/inhand/live-go1.27.3-expvar.json.zst"),
        ("explain", "33"),
        ("pace", "traces/orders-go1.27.msgpack", "--gogc", "50,100"),
        ("replay", "traces/orders-go1.27.msgpack", "--go", "1.24"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_result_can_be_a_page(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)  # all of it in this process
    out = tmp_path / "out.html"
    code = run([*arguments, "--format", "html", "-o", str(out)])
    said = [line for line in capsys.readouterr().err.splitlines() if "compil" not in line]
    assert (code, said) == (0, [])
    assert Elements(out.read_text()).of("table")


# Odd traces.


@pytest.mark.parametrize(
    "lines",
    [
        "",
        '{"op": "alloc", "id": 1, "size": 10}',
        '{"op": "checkpoint", "name": "x"}',
        "".join(f'{{"op": "alloc", "id": {n}, "size": 100000}}\n' for n in range(20)),
        "".join(f'{{"op": "alloc", "id": {n}, "size": 48}}\n' for n in range(2000)),
        "".join(f'{{"op": "alloc", "id": {n}, "size": 8, "pointers": false}}\n{{"op": "gc"}}\n' for n in range(400)),
    ],
    ids=["empty", "one event", "a checkpoint alone", "large alone", "no GC", "a GC each event"],
)
def test_an_odd_trace_gives_a_page(lines: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_text('{"op": "header"}\n' + lines)
    text = page_of(path)
    assert "NaN" not in text.replace(scripts(text)[1], "")
    assert Elements(text).of("main")


def test_a_file_whose_name_is_no_text_gives_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / b"\xff\xfe.msgpack".decode("utf-8", "surrogateescape")
    path.write_bytes(Path(ORDERS).read_bytes())
    assert run(["replay", str(path), "--format", "html", "-o", str(tmp_path / "out.html")]) == 0
    assert capsys.readouterr().err == ""
    assert "\\udcff\\udcfe.msgpack" in (tmp_path / "out.html").read_text()


def test_names_stand_in_the_page_as_text(tmp_path: Path) -> None:
    text = page_of(hostile_trace(tmp_path))
    found = Elements(text)
    assert len(found.of("script")) == 2
    assert [tag for tag, _ in found.found if tag in ("img", "iframe")] == ["img"] * len(found.of("img"))
    assert all(image["src"].startswith("data:image/png;base64,") for image in found.of("img"))
    assert "x" * 121 not in text
    assert not set(text) & set("\u2028\u2029\u202e\x00\x1b")


# Drawing.


def test_an_axis_on_which_nothing_grows_is_spread_evenly() -> None:
    assert along([5, 5, 5]) == [0, 500, 1000]


def test_a_path_goes_by_steps_and_leaves_out_what_stands_still() -> None:
    assert line([(0, 5), (0, 5), (3, 1)]) == "M0 5l3-4"
    assert band([0, 9], [5, 5], [1, 2]) == "M0 1l9 1l0 3l-9 0z"


def test_a_goal_holds_until_the_next() -> None:
    assert steps([(0, 5), (4, 5), (6, 1)]) == [(0, 5), (6, 5), (6, 1), (6, 1)]


@pytest.mark.parametrize("top", [1, 5000, 7 << 20, 1 << 50])
def test_there_are_few_ticks_and_all_are_round(top: int) -> None:
    found = ticks(top)
    assert 2 <= len(found) <= 6
    assert found[-1] <= top


def test_a_picture_is_a_png() -> None:
    found = picture(bytes([0, 1, 1, 0]), 2, ["#000000", "#ffffff"])
    assert base64.b64decode(found.split(",")[1]).startswith(b"\x89PNG\r\n\x1a\n")


def test_a_pipe_gives_a_page(tmp_path: Path) -> None:
    """What can be read only once gives a page with all that needs no second look."""
    out = tmp_path / "out.html"
    with Path(ORDERS).open("rb") as file:
        found = goalloc("replay", "-", "--format", "html", "-o", str(out), stdin=file)
    assert (found.returncode, found.stderr) == (0, "")
    assert "How long objects live" in out.read_text()


def test_points_that_lie_together_share_a_label() -> None:
    points = [{"x": x, "y": 50, "name": f"GOGC={n}"} for x, n in ((10, 50), (12, 100), (60, 200), (60, 400))]
    assert [point["label"] for point in with_labels(points)] == ["GOGC=50, 100", "", "GOGC=200, 400", ""]
