"""Recording a server over http: what a server may do wrong, each told in one line, with no file left."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
import zstandard

from goalloc_cli import cli
from goalloc_cli.native.native import read_native
from goalloc_cli.recording.http import without_password
from goalloc_cli.recording.server import request
from tests.kit.root import DATA, ROOT
from tests.kit.wrongserver import PROFILE, Handler, Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def address(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return f"127.0.0.1:{server.server_port}"


class Told:
    """How a recording ended: the exit code, what was said, the files that are there."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], url: str, *args: str) -> None:
        out = folder / "t.msgpack"
        self.code = cli.run(["record", "-o", str(out), "--seconds", "0.1", "--url", url, *args])
        self.said = capsys.readouterr().err
        self.files = [path.name for path in folder.iterdir()]


def test_a_recording_is_taken_in(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = Told(tmp_path, capsys, f"http://{address}/good")
    assert (told.code, told.files) == (0, ["t.msgpack"])


def test_a_redirect_to_http_is_followed(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Told(tmp_path, capsys, f"http://{address}/to_good").code == 0


def test_the_heap_profile_is_kept_beside_it(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = Told(tmp_path, capsys, f"http://{address}/beside/trace", "--heap-profile", str(tmp_path / "heap.pb.gz"))
    assert (told.code, sorted(told.files)) == (0, ["heap.pb.gz", "t.msgpack"]), told.said
    assert (tmp_path / "heap.pb.gz").read_bytes() == PROFILE.read_bytes()


def test_a_heap_profile_of_samples_is_not_kept_and_the_recording_is(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Told(tmp_path, capsys, f"http://{address}/sampled/trace", "--heap-profile", str(tmp_path / "heap.pb.gz"))
    assert (told.code, told.files) == (3, ["t.msgpack"])
    assert "was sampled every 524,288 bytes" in told.said


def test_where_a_heap_profile_is_must_be_known(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = Told(tmp_path, capsys, f"http://{address}/good", "--heap-profile", str(tmp_path / "heap.pb.gz"))
    assert (told.code, told.files) == (2, [])


@pytest.mark.parametrize(
    ("path", "args", "code", "said"),
    [
        ("missing", [], 1, r"answers 404 Not Found \(404 page not found\); does the program import net/http/pprof"),
        ("busy", [], 1, r"answers 500 .*tracing is already enabled\); another recording may be running"),
        ("angry", [], 1, r"answers 500 Internal Server Error; another recording"),
        ("mute", ["--timeout", "0.3"], 1, r"no whole recording after 0.4 seconds.*--timeout"),
        ("dripping", ["--timeout", "0.3"], 1, r"no whole recording after 0.4 seconds.*--timeout"),
        ("endless", ["--max-size", "1MB"], 1, r"larger than 976.6 KiB; .*--seconds.*--max-size"),
        ("promising", ["--max-size", "1MB"], 1, r"larger than 976.6 KiB; .*--seconds.*--max-size"),
        ("dying", [], 1, r"ended the connection before the recording was whole"),
        ("slow_error", ["--timeout", "0.3"], 1, r"no whole recording after 0.4 seconds"),
        ("slow_headers", ["--timeout", "0.3"], 1, r"no whole recording after 0.4 seconds"),
        ("continuing", ["--max-size", "1MB"], 1, r"larger than 976.6 KiB"),
        ("extending", ["--max-size", "1MB"], 1, r"larger than 976.6 KiB"),
        ("trailing", ["--max-size", "1MB"], 1, r"larger than 976.6 KiB"),
        ("empty", [], 1, r"the answer is empty"),
        ("garbage", [], 3, r"nothing that goalloc knows"),
        ("page", [], 3, r"looks like text"),
        ("to_file", [], 1, r"redirects to file:///etc/passwd, which is not followed"),
        ("to_ftp", [], 1, r"redirects to ftp://127.0.0.1/x, which is not followed"),
        ("in_circles", [], 1, r"answers 302"),
    ],
)
def test_a_server_that_does_wrong_is_told_in_one_line_and_leaves_no_file(
    path: str, args: list[str], code: int, said: str, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Told(tmp_path, capsys, f"http://{address}/{path}", *args)
    assert (told.code, told.said.count("\n"), told.files) == (code, 1, []), told.said
    assert re.search(said, told.said), told.said
    assert told.said.startswith(f"goalloc: http://{address}/{path}?seconds=0.1: ")


def test_a_refused_connection_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, but it does not listen
        told = Told(tmp_path, capsys, f"http://127.0.0.1:{nobody.getsockname()[1]}")
    assert (told.code, "connection refused; is the server running" in told.said, told.files) == (1, True, [])


def test_something_that_speaks_no_http_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def speak(listener: socket.socket) -> None:
        with listener.accept()[0] as client:
            client.recv(4096)
            client.sendall(b"+OK POP3 server ready\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=speak, args=[listener], daemon=True).start()
        told = Told(tmp_path, capsys, f"http://127.0.0.1:{listener.getsockname()[1]}")
    assert (told.code, "this is no web server" in told.said, told.files) == (1, True, [])


def test_a_password_is_sent_but_never_shown(
    server: Server, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Told(tmp_path, capsys, f"http://me:s3cret@{address}/good")
    told = Told(tmp_path, capsys, f"http://me:s3cret@{address}/missing", "--force")
    assert (server.asked[-1][1], "s3cret" in told.said) == ("Basic bWU6czNjcmV0", False)


def test_the_body_of_a_redirect_is_not_waited_for(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Told(tmp_path, capsys, f"http://{address}/to_good_at_length", "--max-size", "1MB").code == 0


@pytest.mark.parametrize(
    "target", ["", "http://[::1", "http://h:99999/", "http://a..b/", f"http://{'h' * 64}/", "//u:pw@h:x/", "x:y"]
)
def test_a_redirect_to_no_address_is_told_in_one_line(
    target: str, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Told(tmp_path, capsys, f"http://{address}/to?x={quote(target)}")
    assert (told.code, told.said.count("\n"), told.files) == (1, 1, [])
    assert "the server redirects to " in told.said
    assert "u:pw" not in told.said


def test_a_redirect_may_have_letters_beyond_ascii_and_spaces(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Told(tmp_path, capsys, f"http://{address}/to?x={quote('/good?a=b c')}")
    assert told.code == 0, told.said


def test_a_redirect_with_a_password_takes_it_along_and_keeps_it_secret(
    server: Server, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Told(tmp_path, capsys, f"http://{address}/to?x={quote(f'http://me:s3cret@{address}/good')}")
    assert (told.code, server.asked[-1][1], "s3cret" in told.said) == (0, "Basic bWU6czNjcmV0", False), told.said


def test_what_is_wrong_with_the_target_of_a_redirect_names_its_host(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, but it does not listen
        target = f"127.0.0.1:{nobody.getsockname()[1]}"
        told = Told(tmp_path, capsys, f"http://{address}/to?x={quote(f'http://me:s3cret@{target}/t')}")
    assert told.said.startswith(f"goalloc: http://{target}/t: connection refused"), told.said


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://u:pw@h:1/t", "http://h:1/t"),
        ("http://u:p@w@h", "http://h"),
        ("http://h/t?mail=a@b", "http://h/t?mail=a@b"),
        ("//u:pw@h/@", "//h/@"),
    ],
)
def test_a_password_is_left_out_of_what_is_shown_and_the_host_is_not(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a/b", "localhost:6060", "http://", "http://a:port/", ""])
def test_an_address_that_is_none_is_a_mistake_in_the_arguments(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Told(tmp_path, capsys, url)
    assert (told.code, told.said.count("\n"), told.files) == (2, 1, [])


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://h:6060", "http://h:6060/debug/pprof/trace?seconds=2.5"),
        ("https://h/p/trace?seconds=9&x=1", "https://h/p/trace?x=1&seconds=2.5"),
        ("http://[::1]:80/t", "http://[::1]:80/t?seconds=2.5"),
    ],
)
def test_the_seconds_are_asked_for_in_the_address(url: str, asked: str) -> None:
    assert request(url, 2.5, 10, 100).url == asked


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["-o", "out"],
        ["-o", "out", "--url", "http://h", "--", "./x.test"],
        ["-o", "out", "--seconds", "2", "./x.test"],
        ["-o", "out", "--url", "http://h", "--trace", "a"],
        ["-o", "out", "--url", "http://h", "--keep", "-"],
        ["-o", "out", "--url", "http://h", "--max-size", "much"],
        ["-o", "out", "--url", "http://h", "--max-size", "0"],
        *(["-o", "out", "--url", "http://h", "--seconds", seconds] for seconds in ("nan", "inf", "1e300", "0", "-1")),
        *(["-o", "out", "--url", "http://h", "--timeout", seconds] for seconds in ("nan", "inf", "1e300", "-1")),
        ["-o", "there", "--url", "http://h"],
        ["-o", "out", "--keep", "there", "./x.test"],
        ["-o", "out", "./program"],
        ["-o", "out", "./nowhere.test"],
        ["./x.test"],
    ],
)
def test_a_mistake_in_the_arguments_is_one_line_and_exit_2(
    args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there").touch()
    code = cli.run(["record", *args])
    assert (code, capsys.readouterr().err.count("\n")) == (2, 1)


def test_what_has_come_by_ctrl_c_is_kept(tmp_path: Path) -> None:
    """A server that sends most of a recording and then nothing more; a second Ctrl-C would end it at once."""
    whole = zstandard.ZstdDecompressor().stream_reader((DATA / "lru-go1.23.trace.zst").read_bytes()).read()

    class Stalling(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(whole[: len(whole) * 3 // 4])
            self.wfile.flush()
            sent.set()
            ended.wait(30)

        def log_message(self, *_: object) -> None:
            """No word."""

    sent, ended, out = threading.Event(), threading.Event(), tmp_path / "t.msgpack"
    with ThreadingHTTPServer(("127.0.0.1", 0), Stalling) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/debug/pprof/"
        args = ["record", "-o", str(out), "--url", url, "--seconds", "30"]
        run = subprocess.Popen([sys.executable, "-m", "goalloc_cli", *args], cwd=ROOT, stderr=-1, text=True)
        assert sent.wait(30)
        time.sleep(0.5)  # it has read what was sent
        run.send_signal(signal.SIGINT)
        told = run.communicate(timeout=240)[1]  # where nothing is compiled yet it takes a minute
        ended.set()
        server.shutdown()
    assert (run.returncode, "what has come of the recording is kept" in told) == (130, True)
    assert read_native(out.open("rb"), "t").header.go_version == "1.23"
