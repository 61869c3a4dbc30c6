"""``python -m goalloc_cli`` is the same command as ``goalloc``."""

import gc
import os
import sys

from goalloc_cli.host import ending

GARBAGE = (100_000, 50, 50)
"""Objects between two looks for garbage. What is loaded, and what compiling makes, stays; Python looks through it every 700
objects, which took a tenth of a short run and an eighth of a first one."""


def open_standard_streams() -> None:
    """Have the three of them, so that no file that is opened takes the place of one; what was closed swallows all."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def main() -> None:
    """Run the command line; a signal ends it, even while its modules are read."""
    gc.set_threshold(*GARBAGE)
    open_standard_streams()
    ending.watch()
    from goalloc_cli.cli import run

    code = run()
    ending.unwatch()
    sys.exit(code)


if __name__ == "__main__":
    main()
