"""The page in a real browser: what a reader sees, in both themes, narrow, on paper, without scripts and by keyboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goalloc_cli.report.forms.html import page as page_module
from goalloc_cli.report.forms.html.page import page
from tests.kit.browser import Browser, axe, browser, needed
from tests.kit.hostile import hostile_trace
from tests.kit.pages import ORDERS, document_of

Document = dict[str, Any]

MOST_NODES = 12_000
LOAD_MS, STEP_MS = 1000, 16
SLOW = 4
"""A busy machine may take so many times as long."""
ZOOMS = (320, 390, 768, 2000)


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    needed()
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def document() -> Document:
    return document_of(ORDERS)


@pytest.fixture(scope="module")
def orders(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "orders.html"
    path.write_text(page(document))
    return path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Document:
    return document_of(hostile_trace(tmp_path_factory.mktemp("hostile")))


# What it asks for, and how fast it is.


def test_a_page_is_one_request_and_says_nothing_to_the_console(chrome: Browser, orders: Path) -> None:
    chrome.open(orders)
    assert chrome.requests() == [orders.resolve().as_uri()]
    assert chrome.console() == []


def test_a_page_is_there_at_once_and_follows_the_slider(chrome: Browser, orders: Path) -> None:
    """Below a second, and below a frame of the screen; with room for a machine that does other things."""
    chrome.open(orders)
    load = chrome.run("return performance.getEntriesByType('navigation')[0].loadEventEnd")
    step = chrome.run(
        "const slider = document.getElementById('moment'), began = performance.now();"
        "for (let i = 0; i < 60; i++) { slider.value = (i * 8) % slider.max; slider.dispatchEvent(new Event('input')); }"
        "return (performance.now() - began) / 60"
    )
    print(f"load {load:.0f} ms, a step {step:.2f} ms")
    assert (load < SLOW * LOAD_MS, step < SLOW * STEP_MS) == (True, True)


def test_a_page_has_few_nodes(chrome: Browser, orders: Path) -> None:
    chrome.open(orders)
    assert chrome.run("return document.getElementsByTagName('*').length") <= MOST_NODES


# Who can read it.


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violation(chrome: Browser, orders: Path, theme: str) -> None:
    """Text in SVG it cannot judge: that is test_page_colours'."""
    rules = axe()
    if rules is None:
        pytest.skip("axe is not installed: pip install --no-deps axe-playwright-python")
    chrome.tell("Page.setBypassCSP", enabled=True)
    try:
        chrome.open(orders, theme=theme)
        chrome.run("document.querySelectorAll('details').forEach((part, i) => { part.open = i < 4; })")
        violations, unclear = chrome.violations(rules)
    finally:
        chrome.tell("Page.setBypassCSP", enabled=False)
    assert violations == []
    assert [one for one in unclear if not re.match(r"color-contrast: <(text|tspan)", one)] == []


@pytest.mark.parametrize("width", ZOOMS)
def test_a_page_never_scrolls_sideways(chrome: Browser, orders: Path, width: int) -> None:
    chrome.open(orders, width=width)
    assert chrome.run("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_is_that_of_the_reader_until_one_is_chosen(chrome: Browser, orders: Path, theme: str) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor"
    chrome.open(orders, theme=theme)
    before = chrome.run(ground)
    chrome.click("#theme")
    assert {before, chrome.run(ground)} == {"rgb(251, 251, 249)", "rgb(20, 24, 28)"}
    assert before == ("rgb(251, 251, 249)" if theme == "light" else "rgb(20, 24, 28)")


def test_without_scripts_all_is_there_for_the_peak_and_the_end(chrome: Browser, orders: Path) -> None:
    chrome.open(orders, script=False)
    told = chrome.text("body")
    for word in ("requested by the program", "= HeapInuse", "At event", "All tables", "How long objects live"):
        assert word in told
    assert "Colour by" not in told
    images = chrome.run("return [...document.images].map(image => image.naturalWidth * image.clientHeight)")
    assert len(images) == 2 and min(images) > 0
    summaries = chrome.driver.find_elements("css selector", "#all-tables summary")
    assert len(summaries) > 20
    summaries[0].click()
    assert "HeapSys" in chrome.text("#all-tables details[open]")


def test_on_paper_all_tables_are_open_and_the_maps_are_pictures(chrome: Browser, orders: Path) -> None:
    chrome.open(orders)
    chrome.run("window.dispatchEvent(new Event('beforeprint'))")
    chrome.tell("Emulation.setEmulatedMedia", media="print")
    try:
        assert chrome.run("return [...document.querySelectorAll('details')].every(part => part.open)")
        assert chrome.run("return [...document.images].every(image => image.clientHeight > 0)")
        assert chrome.run("return document.getElementById('map').clientHeight") == 0
    finally:
        chrome.tell("Emulation.setEmulatedMedia", media="")
    assert chrome.printed().startswith(b"%PDF")


# What it does.


def test_the_peak_is_that_of_the_report(chrome: Browser, orders: Path, document: Document) -> None:
    chrome.open(orders)
    chrome.click('[data-step="peak"]')
    (row,) = [r for r in rows(chrome, ".where tbody tr") if r[0] == "= HeapInuse"]
    assert chrome.text("#read-heap_inuse") == row[1]
    assert f"{document['summary']['peak']['event']:,}" in chrome.text("#when")


def test_at_the_end_the_script_says_what_the_page_said_without(chrome: Browser, orders: Path) -> None:
    read = "return [...document.querySelectorAll('[id^=read-], [id^=kind-]')].map(cell => cell.textContent)"
    chrome.open(orders, script=False)
    still = chrome.run(read)
    chrome.open(orders)
    assert chrome.run(read) == still


def rows(chrome: Browser, selector: str) -> list[list[str]]:
    told: list[list[str]] = chrome.run(
        "return [...document.querySelectorAll(arguments[0])].map(row => [...row.cells].map(cell => cell.innerText.trim()))",
        selector,
    )
    return told


def test_the_slider_moves_by_keys_and_tells_where_it_is(chrome: Browser, orders: Path) -> None:
    chrome.open(orders, fragment="#at=0")
    chrome.press("#moment", "\ue014")  # arrow right
    assert chrome.run("return document.getElementById('moment').value") == "1"
    assert "HeapInuse" in chrome.run("return document.getElementById('moment').getAttribute('aria-valuetext')")


def test_gc_by_gc_the_map_follows(chrome: Browser, orders: Path) -> None:
    chrome.open(orders, fragment="#at=0")
    before = chrome.text("#map-when")
    chrome.click('[data-step="after"]')
    assert chrome.text("#when").endswith("1 GC: gc")
    assert chrome.text("#map-when") != before
    chrome.click('[data-step="end"]')
    assert chrome.text("#map-when").endswith("the end")


def test_the_map_is_walked_by_keys_and_tells_what_holds_a_cell(chrome: Browser, orders: Path) -> None:
    chrome.open(orders)
    chrome.press("#map", "\ue015", "\ue015", "\ue015", "\ue014")  # down, down, down, right
    assert re.match(r"0x[0-9a-f]+: \S", chrome.text("#cell"))
    chrome.press("#map", "\ue007")  # enter
    assert chrome.text("#held").startswith(chrome.text("#cell").split(":")[0])


def test_a_cell_that_few_hold_says_which_objects_would_have_to_die(chrome: Browser, orders: Path) -> None:
    """The words are those of the document's last frame."""
    chrome.open(orders)
    said = chrome.run(
        "const map = document.getElementById('map'), box = map.getBoundingClientRect(), found = [];"
        "for (let y = 2; y < box.height; y += 10) for (let x = 2; x < box.width; x += 10) {"
        " const at = { clientX: box.left + x, clientY: box.top + y, bubbles: true };"
        " map.dispatchEvent(new MouseEvent('click', at)); found.push(document.getElementById('held').textContent); }"
        "return [...new Set(found)]"
    )
    few = [line for line in said if re.search(r"these [2-9] objects of .*, [\d,]+ B, hold 8,192 B; all of them", line)]
    assert few
    count, slot, nbytes = re.search(r"these (\d+) objects of (\d+) B \w+.*?, ([\d,]+) B, hold", few[0]).groups()  # type: ignore[union-attr]
    assert int(count) * int(slot) == int(nbytes.replace(",", ""))
    assert any("no object holds it" in line for line in said)


@pytest.mark.parametrize("colour", ["kind", "dead", "spanclass", "age", "type"])
def test_each_colour_shows_another_map(chrome: Browser, orders: Path, colour: str) -> None:
    picture = "return document.getElementById('map').toDataURL()"
    chrome.open(orders)
    before = chrome.run(picture)
    chrome.click(f'[data-colour="{colour}"]')
    assert chrome.run(picture) != before
    assert chrome.run("return document.querySelectorAll('[data-colour][aria-pressed=true]').length") == 1


def test_play_runs_through_the_frames(chrome: Browser, orders: Path) -> None:
    chrome.open(orders, fragment="#at=0")
    chrome.click("#play")
    first = chrome.text("#map-when")
    chrome.wait(f"return document.getElementById('map-when').textContent !== {json.dumps(first)}")
    chrome.click("#play")
    assert chrome.text("#play") == "Play"


def test_what_is_shown_stands_in_the_address_and_comes_back(chrome: Browser, orders: Path) -> None:
    chrome.open(orders)
    chrome.click('[data-step="peak"]')
    chrome.click('[data-axis="time_ns"]')
    chrome.click('[data-colour="age"]')
    chrome.wait("return location.hash.includes('colour=age')")
    told = "return [...document.querySelectorAll('#when, .below .x text:last-child')].map(part => part.textContent)"
    before = chrome.run(told)
    chrome.driver.refresh()
    chrome.wait("return document.documentElement.dataset.ready === '1'")
    assert chrome.run(told) == before
    pressed = chrome.run("return [...document.querySelectorAll('[aria-pressed=true]')].map(button => button.textContent)")
    assert pressed == ["time", "age"]


NOT_THERE = ("#at=-1&colour=x", "#at=99999999999999999999", "#by=constructor&colour=__proto__", "#where")


@pytest.mark.parametrize("fragment", NOT_THERE)
def test_an_address_that_asks_for_nothing_there_is_changes_nothing(chrome: Browser, orders: Path, fragment: str) -> None:
    chrome.open(orders, fragment=fragment)
    assert chrome.console() == []
    assert chrome.text("#when").endswith(": end")


def test_a_click_on_a_head_sorts_and_the_filter_hides(chrome: Browser, orders: Path) -> None:
    chrome.open(orders)
    table = "#all-tables details:nth-child(8)"
    chrome.click(f"{table} summary")
    heads = f"{table} th:nth-child(3) button"
    for order in ("descending", "ascending"):
        chrome.click(heads)
        cells = chrome.run(
            "return [...document.querySelectorAll(arguments[0])].map(cell => Number(cell.dataset.v))",
            f"{table} tbody tr:not(.total) td:nth-child(3)",
        )
        assert len(cells) > 10
        assert cells == sorted(cells, reverse=order == "descending")
        assert chrome.run("return document.querySelector(arguments[0]).ariaSort", f"{table} th:nth-child(3)") == order
    chrome.press("#filter", "288 B")
    every = "[...document.querySelectorAll('#all-tables tbody tr')]"
    shown = chrome.run(f"return {every}.filter(row => !row.hidden).map(row => row.innerText)")
    assert shown and all("288 B" in line for line in shown)


def test_a_browser_that_cannot_unpack_shows_the_pictures(chrome: Browser, orders: Path) -> None:
    own = chrome.tell("Page.addScriptToEvaluateOnNewDocument", source="delete window.DecompressionStream;")
    try:
        chrome.open(orders)
        assert chrome.run("return [...document.images].every(image => image.clientHeight > 0)")
        assert chrome.run("return document.getElementById('map').clientHeight") == 0
    finally:
        chrome.tell("Page.removeScriptToEvaluateOnNewDocument", identifier=own["identifier"])


# Who would break in.

PWNED = "return window.PWNED === undefined ? null : String(window.PWNED)"


def test_no_name_of_a_program_runs_or_breaks_the_page(chrome: Browser, hostile: Document, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(page(hostile))
    chrome.open(path)
    chrome.run("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    chrome.click('[data-colour="type"]')
    chrome.run("document.querySelectorAll('th button').forEach(button => button.click())")
    assert chrome.run(PWNED) is None
    assert (chrome.console(), chrome.requests()) == ([], [path.resolve().as_uri()])
    told = chrome.text("body")
    for name in ("</script><script>window.PWNED=1</script>", "<img src=x onerror=window.PWNED=2>", "{{7*7}}", "&lt;b&gt;"):
        assert name in told
    assert chrome.run("return document.title").startswith("<img src=x onerror=window.PWNED=11>.jsonl")


def test_the_same_names_take_over_a_page_that_does_not_escape(
    chrome: Browser, hostile: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above can fail: here is the same page without autoescape, safe JSON and policy."""
    import jinja2

    open_to_all = jinja2.Environment
    monkeypatch.setattr(jinja2, "Environment", lambda **options: open_to_all(**{**options, "autoescape": False}))
    monkeypatch.setattr(page_module, "inside_html", json.dumps)
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page(hostile))
    path = tmp_path / "naive.html"
    path.write_text(text)
    chrome.driver.get(path.resolve().as_uri())
    chrome.wait("return document.readyState === 'complete'")
    assert chrome.run(PWNED) is not None


def test_the_policy_stops_what_got_in_nevertheless(chrome: Browser, orders: Path) -> None:
    chrome.open(orders)
    chrome.run(
        "const script = document.createElement('script'); script.textContent = 'window.PWNED = 1';"
        "const part = document.createElement('div'); document.body.append(script, part);"
        "part.innerHTML = '<img src=x onerror=\"window.PWNED = 2\">';"
        "part.innerHTML += '<img src=\"http://127.0.0.1:9/x.png\">'"
    )
    chrome.wait("return performance.now() > 0")
    assert chrome.run(PWNED) is None
    assert any("Content Security Policy" in line for line in chrome.console())
