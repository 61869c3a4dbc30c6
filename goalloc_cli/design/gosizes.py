"""Sizes in Go 1.22 and later, as tables: classes, headers, tiny blocks. What importers and synthetic workloads need to know
before there is a design; `sizeclass` makes the same classes from its knobs.

Go: internal/runtime/gc/sizeclasses.go, runtime/malloc.go, runtime/mbitmap.go.
"""

from __future__ import annotations

import numpy as np

PAGE = 8192
SIZE_OF = np.array(
    [
        0, 8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384, 416, 448,
        480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072, 3200, 3456, 4096,
        4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072,
        20480, 21760, 24576, 27264, 28672, 32768,
    ],
    np.int64,
)  # fmt: skip
"""Slot size of every size class (Go 1.23 to 1.27: internal/runtime/gc/sizeclasses.go)."""
PAGES_OF = np.array(
    [
        0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 2, 1,
        2, 1, 3, 2, 3, 1, 3, 2, 3, 4, 5, 6, 1, 7, 6, 5, 4, 3, 5, 7, 2, 9, 7, 5, 8, 3, 10, 7, 4,
    ],
    np.int64,
)  # fmt: skip
"""Pages of a span of every size class."""
SPAN_CLASSES = 136
"""Two for each of the 68 size classes: even ones for objects with pointers."""
TINY_SPC = 5
"""Span class of tiny blocks: 16 bytes, no pointers (malloc.go, tinySpanClass)."""
HEADER_ABOVE = 512
"""Pointerful objects in larger slots start 8 bytes into them (mbitmap.go, heapBitsInSpan)."""
HEADER_BYTES = 8
LARGEST_SMALL = 32760
"""Largest request served from a size class (malloc.go: maxSmallSize - mallocHeaderSize)."""
TINY_BYTES = 16

SLOT_OF = np.zeros(32768 // 8 + 1, np.int64)
"""Slot size for a request (with header) of up to 8 n bytes."""
for _size in reversed(SIZE_OF[1:].tolist()):
    SLOT_OF[: _size // 8 + 1] = _size
