"""The tools that exports are made for, as judges. They are no part of the extra "test": where one is missing its tests are
skipped, unless GOALLOC_CONSUMERS says that all are there."""

from __future__ import annotations

import importlib
import os
from functools import cache
from typing import Any

import pytest

MUST = os.environ.get("GOALLOC_CONSUMERS") == "1"

NUMBERS = {"int64": 3, "uint64": 4, "bool": 8, "string": 9, "bytes": 12}
"""Types of fields, by the number that descriptor.proto has for them."""
MESSAGE = 11

PROFILE = {
    "ValueType": {"type": (1, "int64"), "unit": (2, "int64")},
    "Label": {"key": (1, "int64"), "str": (2, "int64"), "num": (3, "int64"), "num_unit": (4, "int64")},
    "Sample": {"location_id": (1, "[uint64]"), "value": (2, "[int64]"), "label": (3, "[Label]")},
    "Line": {"function_id": (1, "uint64"), "line": (2, "int64")},
    "Location": {"id": (1, "uint64"), "mapping_id": (2, "uint64"), "address": (3, "uint64"), "line": (4, "[Line]")},
    "Function": {
        "id": (1, "uint64"),
        "name": (2, "int64"),
        "system_name": (3, "int64"),
        "filename": (4, "int64"),
        "start_line": (5, "int64"),
    },
    "Profile": {
        "sample_type": (1, "[ValueType]"),
        "sample": (2, "[Sample]"),
        "location": (4, "[Location]"),
        "function": (5, "[Function]"),
        "string_table": (6, "[string]"),
        "time_nanos": (9, "int64"),
        "duration_nanos": (10, "int64"),
        "period_type": (11, "ValueType"),
        "period": (12, "int64"),
        "comment": (13, "[int64]"),
        "default_sample_type": (14, "int64"),
    },
}
"""proto/profile.proto of github.com/google/pprof, as far as it is written."""


def consumer(name: str) -> Any:
    """The module of a consumer, or a skipped test."""
    return importlib.import_module(name) if MUST else pytest.importorskip(name)


@cache
def messages() -> dict[str, Any]:
    """Classes of protobuf's own decoder for the messages of `PROFILE`."""
    return decoders("profile", PROFILE)


def decoders(package: str, schema: dict[str, dict[str, tuple[int, str]]]) -> dict[str, Any]:
    """The same for any messages: fields by name, each a number and a type, in brackets where it is repeated."""
    consumer("google.protobuf")
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in schema.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            plain = kind.strip("[]")
            added = message.field.add(name=field, number=number, label=3 if kind.startswith("[") else 1)
            added.type = NUMBERS.get(plain, MESSAGE)
            if plain not in NUMBERS:
                added.type_name = f".{package}.{plain}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = {name: pool.FindMessageTypeByName(f"{package}.{name}") for name in schema}
    return {name: message_factory.GetMessageClass(descriptor) for name, descriptor in found.items()}
