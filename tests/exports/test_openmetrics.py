"""The heap as OpenMetrics, as the parsers of Prometheus read it."""

from __future__ import annotations

import pytest

from goalloc_cli import cli
from goalloc_cli.exporters.openmetrics import FAMILIES, ROWS, write_openmetrics
from goalloc_cli.results.exported.held import Measured
from goalloc_cli.results.outcome import LEDGER
from tests.analyses.test_samples import SAMPLES, outcome_of
from tests.kit.consumers import consumer
from tests.kit.root import ROOT

ORDERS = str(ROOT / "traces" / "orders-go1.27.msgpack")
HOSTILE = ['a "b" c', "back\\slash\\", "x\ny", "\0", "\u202eabc", "</script>", "{}=,", "# EOF", "ü日本", "x" * (1 << 20)]


def parsed(text: str, at: str = "openmetrics.parser") -> list:
    reader = consumer(f"prometheus_client.{at}")
    return list(reader.text_string_to_metric_families(text))


def samples(text: str, at: str, moment: str) -> dict[str, float]:
    """Values by family, those of the ledger by row."""
    found = [sample for family in parsed(text, at) for sample in family.samples if sample.labels["at"] == moment]
    return {sample.labels.get("row", sample.name): sample.value for sample in found}


def exported(name: str) -> str:
    outcome = outcome_of(name)
    moments = {"peak": outcome.peak[0], "end": outcome.samples[-1]}
    return write_openmetrics(Measured(name, "go1.27", moments)).decode()


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("moment", ["peak", "end"])
def test_the_families_add_up_as_in_go(name, moment):
    found, outcome = samples(exported(name), "openmetrics.parser", moment), outcome_of(name)
    sample = outcome.peak[0] if moment == "peak" else outcome.samples[-1]
    heap = "go_memory_classes_heap_{}_bytes".format
    assert found[heap("objects")] + found[heap("unused")] == sample["heap_inuse"]
    assert found[heap("free")] + found[heap("released")] == sample["heap_idle"]
    assert sum(found[row] for row in LEDGER) == sample["heap_inuse"]


def test_both_parsers_find_the_same(capfd):
    assert cli.run(["export", ORDERS, "--to", "openmetrics", "-q"]) == 0
    text = capfd.readouterr().out
    assert text.endswith("\n# EOF\n")
    one, other = (samples(text, at, "peak") for at in ("openmetrics.parser", "parser"))
    assert one == other
    assert len(one) == len(FAMILIES) + len(LEDGER)


def test_a_gauge_has_its_unit_and_help():
    families = {family.name: family for family in parsed(exported("orders-go1.27"))}
    assert {family.unit for family in families.values()} == {"bytes"}
    assert {family.type for family in families.values()} == {"gauge"}
    assert families[ROWS].documentation


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_no_name_breaks_the_text(name):
    outcome = outcome_of("orders-go1.27")
    text = write_openmetrics(Measured(name, name, {name: outcome.samples[-1]})).decode()
    assert len(text) < 1 << 20
    (family, *_) = parsed(text)
    assert set(family.samples[0].labels) == {"trace", "design", "at"}
    assert family.samples[0].labels["trace"][:3] == name[:3] or not name.isprintable()
