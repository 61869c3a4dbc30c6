"""docs/allocator.md has every section that somebody cites, and every section that it links to itself."""

from __future__ import annotations

import re

from tests.kit.root import ROOT

PAGE = (ROOT / "docs" / "allocator.md").read_text()
CITING = [*ROOT.glob("goalloc_cli/**/*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("docs/*.md"), *ROOT.glob("*.md")]
CITATION = re.compile(r"allocator\.md ((?:\d+(?:\.\d+)?(?:, | to )?)+)")
"""A citation with its numbers, such as 8.2, 9.1 or 8.2 to 8.4, behind the name of the page."""


def headings() -> list[str]:
    """The titles of all sections, with their numbers."""
    return re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", PAGE, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)


def numbers(text: str) -> set[str]:
    """The numbers of the sections that a text cites; of a range its ends, for what lies between has them too."""
    return {number for cited in CITATION.findall(text) for number in re.findall(r"\d+(?:\.\d+)?", cited)}


def anchor(title: str) -> str:
    """What GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def test_a_citation_is_read_with_all_its_numbers() -> None:
    assert numbers("(Go: mgcpacer.go; allocator." + "md 8.2 to 8.4, 9)") == {"8.2", "8.4", "9"}


def test_every_section_that_is_cited_exists() -> None:
    there = {title.split()[0] for title in headings()}
    cited = {path: numbers(path.read_text()) for path in CITING}
    assert len(set().union(*cited.values())) > 20
    assert {str(path): missing for path, found in cited.items() if (missing := found - there)} == {}


def test_it_links_to_sections_that_it_has() -> None:
    anchors = {anchor(title) for title in headings()}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors
