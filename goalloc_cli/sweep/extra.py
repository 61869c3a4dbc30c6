"""The packages of the extra `sweep`: one line says what to install where they are not there."""

from __future__ import annotations

from importlib.util import find_spec

from goalloc_cli.errors import USAGE, ToldError

PACKAGES = ("distributed", "pyarrow", "fsspec", "cryptography")
INSTALL = "pip install 'goalloc[sweep]'"


class MissingExtraError(ToldError):
    """What a sweep needs is not installed."""

    code = USAGE


def need() -> None:
    """Raise MissingExtraError where a package is not installed."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"a sweep needs {', '.join(missing)}: {INSTALL}")
