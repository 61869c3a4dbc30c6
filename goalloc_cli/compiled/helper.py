"""A process that compiles units for another one (`crew.py`), as long as that one lives: they talk in pickles, over pipes."""

from __future__ import annotations

import gc
import os
import pickle
import queue
import sys
import threading


def main() -> None:
    """Compile what is asked for; end when nobody can ask any more, in the midst of it, too."""
    gc.disable()  # it would look through all that compiling makes, again and again
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed is no answer
    asked: queue.SimpleQueue[object] = queue.SimpleQueue()

    def listen() -> None:
        try:
            while True:
                asked.put(pickle.load(sys.stdin.buffer))
        finally:
            os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    from goalloc_cli.compiled.building import build

    while True:
        pickle.dump(tuple(build(asked.get())), answers)  # type: ignore[arg-type]
        answers.flush()
