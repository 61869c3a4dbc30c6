"""The colours of the page, of both themes: text can be read, and no two layers look alike, to any eye.

axe cannot tell text in an SVG from what lies behind it; so it is computed here, from the style.
"""

from __future__ import annotations

import itertools
import math
import re

import pytest

from goalloc_cli.report.forms.html.page import HERE
from goalloc_cli.report.pictures.layers import LAYERS

STYLE = (HERE / "page.css").read_text()
LEGIBLE = 4.5
"""Contrast of text: WCAG 2.2, 1.4.3."""
APART = 15
"""Distance of two colours in CIELAB (CIE76)."""
LAYER_KEYS = [layer.key for layer in LAYERS if layer.key != "released"]
"""Released memory is hatched."""
EYES = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
}
"""Machado, Oliveira, Fernandes 2009, severity 1; of linear RGB."""


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{6})", block))


def blocks() -> dict[str, dict[str, str]]:
    """The colours of each theme."""
    roots = (":root", ":root:not([data-theme=light])", ":root[data-theme=dark]")
    light, asked, chosen = (re.search(re.escape(root) + r"\{(.*?)\}", STYLE, re.DOTALL) for root in roots)
    assert light and asked and chosen
    return {"light": colours(light[1]), "dark": colours(light[1]) | colours(asked[1]), "chosen": colours(chosen[1])}


THEMES = blocks()


def linear(colour: str) -> list[float]:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def luminance(colour: str) -> float:
    return sum(part * c for part, c in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def lab(colour: str, eye: str) -> tuple[float, float, float]:
    seen = [max(0.0, sum(a * b for a, b in zip(row, linear(colour), strict=True))) for row in EYES[eye]]
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    xyz = [sum(a * b for a, b in zip(row, seen, strict=True)) for row in rows]
    x, y, z = (
        v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (xyz[0] / 0.9505, xyz[1], xyz[2] / 1.089)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def test_a_dark_theme_that_is_chosen_is_the_one_that_is_asked_for() -> None:
    assert {name: THEMES["dark"][name] for name in THEMES["chosen"]} == THEMES["chosen"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("eye", EYES)
def test_no_two_layers_look_alike(theme: str, eye: str) -> None:
    seen = {key: lab(THEMES[theme][key], eye) for key in LAYER_KEYS}
    near = {
        pair: round(distance, 1)
        for pair in itertools.combinations(LAYER_KEYS, 2)
        if (distance := math.dist(seen[pair[0]], seen[pair[1]])) < APART
    }
    assert near == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("text", ["ink", "soft", "accent", "good", "bad"])
@pytest.mark.parametrize("ground", ["bg", "card"])
def test_text_can_be_read(theme: str, text: str, ground: str) -> None:
    assert contrast(THEMES[theme][text], THEMES[theme][ground]) >= LEGIBLE


def text_on(key: str, theme: str) -> str:
    """The colour of a label on a layer."""
    light = re.search(r"([^}]*on-requested[^}]*)\{fill:#fff", STYLE)
    turned = re.search(r":root\[data-theme=dark\] svg text:is\(([^)]*)\)", STYLE)
    assert light and turned
    is_white = f".on-{key}," in f"{light[1]}," and not (theme == "dark" and f".on-{key}," in f"{turned[1]},")
    return "#ffffff" if is_white else THEMES[theme]["dark-text"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("key", LAYER_KEYS)
def test_labels_in_the_bars_can_be_read(theme: str, key: str) -> None:
    assert contrast(text_on(key, theme), THEMES[theme][key]) >= LEGIBLE


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_figures_on_the_deepest_shades_can_be_read(theme: str) -> None:
    """A table of spans writes on red and blue of at most these shares."""
    for name in ("heat", "cold"):
        channels = re.findall(rf"--{name}:(\d+) (\d+) (\d+)", STYLE)[0 if theme == "light" else 1]
        part = max(float(share) for share in re.findall(rf"rgb\(var\(--{name}\)/(\.\d+)\)", STYLE))
        card = [int(THEMES[theme]["card"][i : i + 2], 16) for i in (1, 3, 5)]
        mixed = [round(c + (int(h) - c) * part) for c, h in zip(card, channels, strict=True)]
        assert contrast(THEMES[theme]["ink"], f"#{bytes(mixed).hex()}") >= LEGIBLE
