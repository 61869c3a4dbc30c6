"""The parts of a sweep, without a cluster: what is asked, what is the same, who is talked to."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import click
import msgpack  # type: ignore[import-untyped]
import pytest

from goalloc_cli import cli
from goalloc_cli.commands.designs import designs_of
from goalloc_cli.errors import DesignError, ToldError
from goalloc_cli.sweep import extra, plan
from goalloc_cli.sweep.cluster import KILLED, Cluster, Where
from goalloc_cli.sweep.columns import LOST, OK, Row
from goalloc_cli.sweep.driver import LIGHT_EVENTS, MOST_TOGETHER, Driver, Tally
from goalloc_cli.sweep.inputs import Input, InputsError, listed, shown
from goalloc_cli.sweep.keys import design_digest, pair_of, slot_of
from goalloc_cli.sweep.plan import Task, chunks
from goalloc_cli.sweep.store import Store
from goalloc_cli.sweep.summary import summarized
from goalloc_cli.sweep.task import rows_of
from goalloc_cli.sweep.wanted import Wanted
from goalloc_cli.trace.chosen import chosen
from goalloc_cli.trace.trace import Header
from tests.kit.root import ROOT

TREES = str(ROOT / "traces" / "trees-go1.27.msgpack")


def designs(*words: str, file: str | None = None, **told: str) -> list[Wanted]:
    return designs_of(told.get("go"), words, None, told.get("gogc"), told.get("limits"), file)


def names(found: list[Wanted]) -> list[str]:
    return [each.name for each in found]


# What is asked


def test_lists_of_options_make_their_cross_product() -> None:
    found = designs("page_cache=0,1", go="own,1.12", gogc="50,off", limits="64MiB")
    assert len(found) == 8
    assert names(found)[:2] == [
        "own + page_cache=0 + GOGC=50 GOMEMLIMIT=64MiB", "own + page_cache=0 + GOGC=off GOMEMLIMIT=64MiB"
    ]  # fmt: skip
    assert (found[-1].go, found[-1].knobs, found[-1].setting) == ("1.12", ("page_cache=1",), (-1, 64 << 20))


def test_without_options_each_trace_has_its_own_release() -> None:
    assert designs() == [Wanted("own")]


def test_all_is_every_release() -> None:
    assert names(designs(go="base,all"))[:2] == ["base", "go1.10"]
    assert len(designs(go="base,all")) == 19


def test_a_file_names_its_designs(tmp_path: Path) -> None:
    file = tmp_path / "designs.toml"
    file.write_text('[old]\ngo = "1.12"\n[other]\nset = {page_cache = 0}\n[tight]\ngogc = 50\nmemory_limit = "64MiB"\n')
    found = designs(file=str(file))
    assert names(found) == ["old", "other", "tight"]
    assert [found[0].go, found[1].knobs, found[2].setting] == ["1.12", ("page_cache=0",), (50, 64 << 20)]


@pytest.mark.parametrize(
    ("words", "told", "problem"),
    [
        (["gogc=50,100"], {}, "--gogc 50,100 predicts"),
        (["memory_limit=1,2"], {}, "--memory-limit 1,2 predicts"),
        (["page_cash=1"], {}, "did you mean 'page_cache'"),
        (["page_cache=2"], {}, "not within 0 to 1"),
        (["page_cache"], {}, "KNOB=VALUE"),
        ([], {"go": "1.12,1.9"}, "not modelled"),
        ([], {"gogc": "none"}, "neither off nor a number"),
    ],
)
def test_what_no_design_can_be_is_refused(words: list[str], told: dict[str, str], problem: str) -> None:
    with pytest.raises(click.UsageError) as error:
        designs(*words, **told)
    assert problem in error.value.format_message()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[a]\ngo = 1.9", "not modelled"),
        ("[a]\nrelease = 1", "no key 'release'"),
        ("a = 1", "is no table"),
        ("[a]\nset = 1", "set is a table"),
        ("[a]\ngogc = '50,60'", "one setting"),
        ("[a", "designs.toml"),
        ("", "names no design"),
    ],
)
def test_what_no_file_of_designs_can_say_is_refused(text: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "designs.toml"
    file.write_text(text)
    with pytest.raises(click.UsageError) as error:
        designs(file=str(file))
    assert problem in error.value.format_message()


def test_a_design_comes_over_the_wire_as_it_was() -> None:
    for wanted in (*designs("page_cache=0", go="base,1.12"), *designs(gogc="50"), Wanted("t", classes=((8, 1), (16, 1)))):
        assert Wanted.of(msgpack.unpackb(msgpack.packb(wanted.plain()))) == wanted


def test_what_is_sent_is_a_function_by_name_and_plain_data() -> None:
    assert getattr(importlib.import_module(rows_of.__module__), rows_of.__name__) is rows_of
    message = Task(Input("a", "/a", 1, "1"), tuple(designs(go="own,1.12", gogc="50")), ("key",)).message(("lenient",))
    assert json.loads(json.dumps(message)) == message


# Which traces


def test_traces_are_named_by_path_glob_list_and_url(tmp_path: Path) -> None:
    for name in ("a.msgpack", "b.msgpack", "c.trace"):
        (tmp_path / name).write_text(name)
    manifest = tmp_path / "list"
    manifest.write_text(f"# the fleet\n{tmp_path}/c.trace\n\nhttps://user:secret@host/t.trace\n{tmp_path}/absent\n")
    found = listed((f"{tmp_path}/*.msgpack", f"{tmp_path}/a.msgpack", f"@{manifest}"))
    assert [each.name.rpartition("/")[2] for each in found] == ["a.msgpack", "b.msgpack", "c.trace", "t.trace", "absent"]
    assert found[3].name == "https://host/t.trace"
    assert [each.size for each in found] == [9, 9, 7, None, None]


def test_a_csv_names_traces_in_its_column(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text('service,trace,team\nweb,"/t/a,b.trace",x\ndb,/t/c.trace,y\n')
    assert [each.name for each in listed((f"@{manifest}",))] == ["/t/a,b.trace", "/t/c.trace"]


@pytest.mark.parametrize("word", ["absent.msgpack", "absent*.msgpack", ".", "@absent"])
def test_a_name_of_nothing_is_refused(word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((InputsError, FileNotFoundError)):
        listed((word,))


def test_no_password_is_shown() -> None:
    assert shown("cannot open s3://key:secret@bucket/x?y") == "cannot open s3://bucket/x?y"


# What is the same


def test_a_design_is_the_same_however_it_is_spelled() -> None:
    header = Header(go_version="1.27")
    one, other = (chosen(header, *asked)[0] for asked in ((None, ()), ("1.27", ("page_cache=1",))))
    assert design_digest(one, None, True) == design_digest(other, None, True)
    different = chosen(header, "1.27", ("page_cache=0",))[0]
    assert len({design_digest(one, None, True), design_digest(one, None, False), design_digest(different, None, True)}) == 3


def test_a_file_that_was_changed_is_another_pair_in_the_same_slot() -> None:
    wanted = Wanted("own")
    assert pair_of("/a", "1-1", wanted, ()) != pair_of("/a", "1-2", wanted, ())
    assert pair_of("/a", "1-1", wanted, ()) != pair_of("/a", "1-1", wanted, ("lenient",))
    assert slot_of("/a", "own") != slot_of("/b", "own")


def test_a_design_that_contradicts_itself_is_told_as_replay_tells_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DesignError) as error:
        chosen(Header(), "1.12", ("page_cache=1",))
    assert cli.run(["replay", TREES, "--go", "1.12", "--set", "page_cache=1"]) == 2
    assert str(error.value) in capsys.readouterr().err


# What is to be done


def test_a_giant_trace_is_done_in_several_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "MOST_EVENTS", 100)
    found = list(chunks(Input("a", "/a", 40, "1"), designs(go="1.10,1.11,1.12,1.13,1.14")))
    assert [len(chunk) for chunk in found] == [2, 2, 1]


def test_the_largest_trace_comes_first(arrow: None, tmp_path: Path) -> None:
    found = plan.plan(Store(tmp_path), [Input("a", "/a", 1, "1"), Input("b", "/b", 9, "1")], designs(), (), False)
    assert [task.trace.name for task in found.tasks] == ["b", "a"]
    assert (found.rows, found.to_do, found.bytes) == (2, 2, 10)


# What is said of it


def row(trace: str, design: str = "own", **more: Any) -> Row:
    place = f"/{trace}"
    known: Row = {
        "key": f"key {trace} {design}", "status": OK, "trace": trace, "design": design, "slot": slot_of(place, design),
        "pair": pair_of(place, "1-1", Wanted(design), ()), "peak_HeapInuse": 100, "host": "here",
    }  # fmt: skip
    return known | more


def test_designs_are_held_against_the_first_that_was_asked_for(arrow: None, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.note_designs(["own", "a"])
    store.note_designs(["b"])
    found = [row(trace, design, peak_HeapInuse=size) for trace, design, size in (
        ("x", "own", 100), ("x", "a", 150), ("y", "own", 100), ("y", "a", 50), ("x", "b", 100),
    )]  # fmt: skip
    store.add([*found, row("y", "b", status=LOST, peak_HeapInuse=None, error_kind=KILLED, error="y: killed")])
    told = summarized(store)
    assert [each["name"] for each in told["designs"]] == ["own", "a", "b"]
    assert [each["change"] and each["change"]["mean"] for each in told["designs"]] == [None, 0.0, 0.0]
    assert told["designs"][1]["change"]["ranges"] == [1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert [(each["trace"], each["design"], each["change"]) for each in told["worst"]] == [("x", "a", 0.5)]
    assert told["failures"] == [{"status": "lost", "kind": KILLED, "rows": 1, "traces": 1, "example": "y: killed"}]


@pytest.mark.parametrize("form", ["table", "csv", "markdown", "json"])
def test_the_summary_comes_in_every_form(
    form: str, arrow: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path)
    store.add([row("x", "a"), row("x", "b", peak_HeapInuse=150)])
    assert cli.run(["sweep", "--summary", str(tmp_path), "--format", form]) == 0
    told = capfd.readouterr().out
    assert "x" in told
    assert form != "table" or max(map(len, told.splitlines()[1:])) <= 80  # above them stands the folder


# Who is talked to, and what is lost


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        (Where(scheduler="tcp://10.0.0.1:8786"), "--insecure"),
        (Where(scheduler="http://127.0.0.1:8786"), "tls://HOST:PORT"),
        (Where(scheduler="10.0.0.1:8786"), "tls://HOST:PORT"),
        (Where(scheduler="tls://10.0.0.1:8786"), "--tls-ca, --tls-cert, --tls-key"),
        (Where(scheduler="tls://h:1", ca="absent", certificate="absent", key="absent"), "no such file"),
    ],
)
def test_a_scheduler_that_anyone_could_be_is_refused(where: Where, problem: str) -> None:
    with pytest.raises(ToldError, match=problem):
        where.refuse()


def test_a_scheduler_of_this_machine_or_of_a_private_network_is_taken() -> None:
    Where(scheduler="tcp://127.0.0.1:8786").refuse()
    Where(scheduler="tcp://10.0.0.1:8786", insecure=True).refuse()


class Deadly(Cluster):
    """Whoever does the task of one trace is killed; and so, once, is another task beside it."""

    def __init__(self) -> None:
        super().__init__(None)
        self.order: list[str] = []
        self.messages: list[list[str]] = []

    def workers(self) -> int:
        return 1

    def send(self, messages: list[dict[str, Any]]) -> str:
        names = [message["name"] for message in messages]
        self.order += names
        self.messages.append(names)
        name = str(len(self.messages) - 1)
        self.done.put(name)
        return name

    def take(self, future: Any) -> tuple[str, dict[str, Any]]:
        names = self.messages[int(future)]
        if "deadly" in names or ("beside" in names and self.order.count("beside") == 1):
            return future, {"status": LOST, "error_kind": KILLED, "error": "killed"}
        return future, {"rows": [[row(name)] for name in names]}


def run_all(cluster: Cluster, folder: Path, tasks: list[Task]) -> Tally:
    return Driver(cluster, Store(folder), ()).run(tasks)


def task(name: str, size: int | None = 1) -> Task:
    return Task(Input(name, f"/{name}", size, "1"), (Wanted("own"),))


def test_a_task_beside_one_that_kills_workers_is_done_again_alone(arrow: None, tmp_path: Path) -> None:
    cluster = Deadly()
    tally = run_all(cluster, tmp_path, [task(name) for name in ("deadly", "beside", "fine")])
    assert cluster.order == ["deadly", "beside", "fine", "deadly", "beside"]
    assert (tally.rows[OK], tally.rows[LOST]) == (2, 1)
    found = Store(tmp_path).read(("trace", "status")).to_pylist()
    assert {each["trace"]: each["status"] for each in found} == {"fine": OK, "deadly": LOST, "beside": OK}


def test_light_tasks_go_together_and_the_last_ones_by_themselves(arrow: None, tmp_path: Path) -> None:
    cluster = Deadly()
    assert run_all(cluster, tmp_path, [task(f"t{number}") for number in range(100)]).rows[OK] == 100
    assert {len(names) for names in cluster.messages[:9]} == {MOST_TOGETHER}
    assert [len(names) for names in cluster.messages[-3:]] == [1, 1, 1]


@pytest.mark.parametrize("size", [LIGHT_EVENTS, None], ids=["long", "of unknown length"])
def test_a_task_that_is_not_light_goes_by_itself(arrow: None, tmp_path: Path, size: int | None) -> None:
    cluster = Deadly()
    run_all(cluster, tmp_path, [task(f"t{number}", size) for number in range(50)])
    assert {len(names) for names in cluster.messages} == {1}


def test_of_tasks_that_went_together_only_the_one_that_kills_workers_is_lost(arrow: None, tmp_path: Path) -> None:
    cluster = Deadly()
    names = ["deadly", *(f"t{number}" for number in range(30))]
    tally = run_all(cluster, tmp_path, [task(name) for name in names])
    assert len(cluster.messages[0]) > 1
    assert (tally.rows[OK], tally.rows[LOST]) == (30, 1)


# The extra


def test_without_the_extra_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extra, "find_spec", lambda name: None)
    assert cli.run(["sweep", TREES, "-o", "out"]) == 2
    told = capsys.readouterr().err
    assert told == (
        "goalloc: a sweep needs distributed, pyarrow, fsspec, cryptography: pip install 'goalloc[sweep]'\n"
    )


@pytest.mark.parametrize("args", [["sweep"], ["sweep", TREES], ["sweep", TREES, "--summary", "x"]], ids=" ".join)
def test_what_is_missing_of_a_command_is_told(args: list[str], arrow: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(args) == 2
    assert capsys.readouterr().err.count("\n") == 1
