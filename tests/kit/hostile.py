"""A trace whose every name tries to break out of a page, run there, or make it unreadable."""

from __future__ import annotations

import json
from pathlib import Path

NAMES = (
    "</script><script>window.PWNED=1</script>",
    "<img src=x onerror=window.PWNED=2>",
    '"><svg onload=window.PWNED=3>',
    "' onmouseover='window.PWNED=4",
    "javascript:window.PWNED=5",
    "{{7*7}}{% raw %}{{ cycler.__init__ }}",
    "<!--<script>",
    "]]><script>window.PWNED=6</script>",
    "&lt;b&gt;",
    "\u2028\u2029window.PWNED=7",
    "\u202egnp.exe",
    "a\u0000b\u001b[31m",
    "__proto__",
    "constructor",
    "</style><script>window.PWNED=8</script>",
    "<iframe srcdoc='<script>parent.PWNED=9</script>'>",
    "</title><script>window.PWNED=10</script>",
    "x" * 5000,
    'map[string]struct { X int "json:\\"<b>\\"" }',
    "\U0001f600",
    "=cmd|' /C calc'!A1",
    "%3Cscript%3E",
    "#at=9&colour=age",
)
FILE = "<img src=x onerror=window.PWNED=11>.jsonl"


def hostile_trace(folder: Path) -> Path:
    """The trace: objects of types with these names, most of them dead, so that a few of each pin spans."""
    rows: list[dict[str, object]] = [{"op": "header", "notes": list(NAMES[:4])}]
    objects = 0
    for _ in range(40):
        for number, name in enumerate(NAMES):
            rows.append({"op": "alloc", "id": objects, "size": 48 + 16 * (number % 9), "type": name, "pointers": True})
            objects += 1
    rows += [{"op": "free", "id": number} for number in range(objects) if number % 13]
    for name in NAMES[:3]:
        rows += [{"op": "checkpoint", "name": name}, {"op": "gc"}]
    path = folder / FILE
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
