"""What object handles stand for: a row of 16 bytes for each, however many objects the trace has alive at once.

`loc` is span row << 16 | slot, or NONE for an object without size; a dead object's handle keeps it until the handle is used
again. `unused` is what the slot has beyond the request. `label` is the type id << LABEL_SHIFT, with two flags below it.
"""

from __future__ import annotations

from goalloc_cli.compiled.jit import hot

OBJECT_LIVE = 1
OBJECT_BOUND = 2
"""The size is only the most that it can have been."""
LABEL_SHIFT = 2


@hot
def name_object(row, loc, unused, bound, type_id):
    """A handle stands for the live object at loc from here on."""
    row.loc = loc
    row.unused = unused
    row.label = (type_id << LABEL_SHIFT) | (OBJECT_LIVE | OBJECT_BOUND if bound else OBJECT_LIVE)
