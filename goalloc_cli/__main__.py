"""``python -m goalloc_cli`` is the same command as ``goalloc``."""

import sys


def main() -> None:
    """Run the command line; quiet on Ctrl-C even while its modules are read."""
    try:
        from goalloc_cli.cli import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
