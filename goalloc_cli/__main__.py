"""``python -m goalloc_cli`` is the same command as ``goalloc``."""

import gc
import sys

GARBAGE = (100_000, 50, 50)
"""Objects between two looks for garbage. What is loaded, and what compiling makes, stays; Python looks through it every 700
objects, which took a tenth of a short run and an eighth of a first one."""


def main() -> None:
    """Run the command line; quiet on Ctrl-C even while its modules are read."""
    gc.set_threshold(*GARBAGE)
    try:
        from goalloc_cli.cli import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
