"""``python -m goalloc_cli`` is the same command as ``goalloc``."""

from goalloc_cli.cli import main

main()
