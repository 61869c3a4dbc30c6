"""A process that compiles units for another one (`crew.py`), as long as that one lives.

It is asked by lines of a module and a name, and answers each by a line with the length of what follows, `Built.packed`.
"""

from __future__ import annotations

import gc
import os
import queue
import sys
import threading
from importlib import import_module

from goalloc_cli.compiled.units import ROOMS_AHEAD, Part


def main() -> None:
    """Compile what is asked for; end when nobody can ask any more, in the midst of it, too."""
    gc.disable()  # it would look through all that compiling makes, again and again
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed is no answer
    asked: queue.SimpleQueue[list[str]] = queue.SimpleQueue()

    def listen() -> None:
        try:
            for line in sys.stdin.buffer:
                asked.put(line.decode().split())
        finally:
            os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    from goalloc_cli.compiled.building import build

    while True:
        module, name = asked.get()
        import_module(module)
        for room in ROOMS_AHEAD:
            if module.startswith(f"goalloc_cli.{room}."):
                import_module(f"goalloc_cli.{room}.ahead")  # which says what its kernels are called with
        found = Part(module, name, ()).found
        answer = build(found.part if hasattr(found, "part") else found.expected).packed()
        answers.write(f"{len(answer)}\n".encode() + answer)
        answers.flush()
