"""The writer of protocol buffers against the decoder of those who defined them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalloc_cli.exporters import protobuf as pb
from tests.kit.consumers import decoders

SCHEMA = {
    "Part": {"signed": (1, "int64"), "text": (2, "string")},
    "Whole": {
        "signed": (1, "int64"),
        "unsigned": (2, "uint64"),
        "yes": (15, "bool"),
        "text": (16, "string"),
        "data": (2047, "bytes"),
        "signs": (2048, "[int64]"),
        "numbers": ((1 << 29) - 1, "[uint64]"),
        "parts": (7, "[Part]"),
    },
}
"""Field numbers of every length that a tag can have."""

signed = st.integers(-(1 << 63), (1 << 63) - 1) | st.sampled_from([0, 1, -1, 127, 128, (1 << 63) - 1, -(1 << 63)])
unsigned = st.integers(0, (1 << 64) - 1) | st.sampled_from([0, 127, 128, 16383, 16384, (1 << 64) - 1])
texts = st.text(st.characters(codec="utf-8"), max_size=300)
parts = st.tuples(signed, texts)


@pytest.fixture(scope="module")
def classes():
    return decoders("written", SCHEMA)


@settings(max_examples=100, deadline=None)
@given(
    signed, unsigned, st.booleans(), texts, st.binary(max_size=300), st.lists(signed), st.lists(unsigned), st.lists(parts)
)
def test_what_is_written_is_what_protobuf_reads(classes, one, two, yes, text, data, signs, numbers, some):
    number = {name: field for name, (field, _) in SCHEMA["Whole"].items()}
    encoded = b"".join(
        [
            pb.number(number["signed"], one),
            pb.number(number["unsigned"], two),
            pb.number(number["yes"], yes),
            pb.text(number["text"], text),
            pb.raw(number["data"], data),
            pb.packed(number["signs"], signs),
            pb.packed(number["numbers"], numbers),
            *(pb.raw(number["parts"], pb.number(1, sign) + pb.text(2, word)) for sign, word in some),
        ]
    )
    found = classes["Whole"].FromString(encoded)
    assert (found.signed, found.unsigned, found.yes, found.text, found.data) == (one, two, yes, text, data)
    assert (list(found.signs), list(found.numbers)) == (signs, numbers)
    assert [(part.signed, part.text) for part in found.parts] == some


@settings(max_examples=100, deadline=None)
@given(unsigned)
def test_a_number_takes_as_few_bytes_as_can_be(classes, value):
    found = classes["Whole"](unsigned=value)
    assert found.SerializeToString() == (pb.number(2, value) if value else b"")


def test_half_a_surrogate_pair_becomes_an_escape(classes):
    assert classes["Part"].FromString(pb.text(2, "a\ud800b")).text == "a\\ud800b"
