"""`nearid view` as users run it: a process of its own, asked over the network, ended with Ctrl-C."""

from __future__ import annotations

import json
import re
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.commandline import Nearid
from tests.viewing import Viewing

HEAVY = ("torch", "transformers", "pandas", "scipy", "skimage", "matplotlib")

View = Callable[..., Viewing]


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=120) as response:
        assert response.status == 200
        return response.read()


def answer(url: str) -> tuple[int, bytes]:
    try:
        return 200, get(url)
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def addresses(page: bytes) -> list[str]:
    return sorted(set(re.findall(r"/picture/\d+", page.decode())))


def ask(viewing: Viewing, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", viewing.port), timeout=120) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_every_picture_of_a_result_until_ctrl_c(run_json: Path, view: View) -> None:
    viewing = view(run_json)
    page = get(viewing.url)
    assert b"<!doctype html>" in page.lower()
    served = {get(viewing.url.rstrip("/") + address) for address in addresses(page)}
    pictures = {
        path.read_bytes() for part in ("refs", "gens") for path in (run_json.parent / part).rglob("*.*")
    }
    assert served == pictures
    assert viewing.stop() == (0, "Ctrl-C stops it\n")


def test_it_ends_while_a_browser_keeps_its_connection(run_json: Path, view: View) -> None:
    viewing = view(run_json)
    with socket.create_connection(("127.0.0.1", viewing.port), timeout=120) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        assert viewing.stop() == (0, "Ctrl-C stops it\n")


def test_what_a_result_should_not_name(run_json: Path, view: View) -> None:
    document = json.loads(run_json.read_text())
    places = [
        "/etc/passwd",
        "../run.json",
        "../../../../../../../../etc/hostname",
        "gone.png",
        "/dev/zero",
        ".",
    ]
    for image, path in zip(document["images"], places, strict=False):
        image["path"] = path
    run_json.write_text(json.dumps(document))
    viewing = view(run_json)
    page = get(viewing.url)
    assert len(addresses(page)) == 6 + 9 - len(places)
    for number in range(len(places) + 9 + 20):
        for kind in ("picture", "thumbnail"):
            status, body = answer(f"{viewing.url}{kind}/{number}")
            assert status in (200, 404)
            assert b"root:" not in body
            assert b"nearid.score/2" not in body
    assert b"6 could not be read" in page


def test_nobody_gets_anything_else(run_json: Path, view: View) -> None:
    viewing = view(run_json)
    host = b"Host: 127.0.0.1\r\n\r\n"
    assert (
        b" 404 " in ask(viewing, b"GET /../../../../../../etc/passwd HTTP/1.1\r\n" + host).split(b"\r\n")[0]
    )
    assert b" 404 " in ask(viewing, b"GET /picture/" + b"9" * 30 + b" HTTP/1.1\r\n" + host).split(b"\r\n")[0]
    assert b" 404 " in ask(viewing, b"GET /run.json HTTP/1.1\r\n" + host).split(b"\r\n")[0]
    assert b" 405 " in ask(viewing, b"POST / HTTP/1.1\r\n" + host).split(b"\r\n")[0]
    assert b" 403 " in ask(viewing, b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").split(b"\r\n")[0]
    assert viewing.stop() == (0, "Ctrl-C stops it\n")


def test_a_result_of_elsewhere_finds_its_pictures(run_json: Path, tmp_path: Path, view: View) -> None:
    (tmp_path / "project").mkdir()
    for name in ("refs", "gens", "run.json"):
        (tmp_path / name).rename(tmp_path / "project" / name)
    viewing = view("project/run.json")
    assert len(addresses(get(viewing.url))) == 6 + 9


def test_pictures_that_are_gone_leave_the_numbers(run_json: Path, tmp_path: Path, view: View) -> None:
    (tmp_path / "gens").rename(tmp_path / "moved")
    page = get(view(run_json).url)
    assert b"9 could not be read" in page
    assert len(addresses(page)) == 6


def test_several_results_are_compared(run_json: Path, tmp_path: Path, view: View, nearid: Nearid) -> None:
    (tmp_path / "other.json").write_bytes(run_json.read_bytes())
    viewing = view("run.json", "other.json")
    page = get(viewing.url)
    (data,) = re.findall(rb'<script type="application/json" id="data">(.*?)</script>', page)
    assert json.loads(data)["methods"] == ["run", "other"]
    assert len(addresses(page)) == 6 + 9  # the same files, each once


def test_a_chosen_port_and_one_that_is_taken(run_json: Path, view: View, nearid: Nearid) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = nearid("view", run_json, "--port", port).error
        assert (
            error
            == f"cannot serve on port {port}: address already in use; choose another --port, or none for a free one"
        )
    viewing = view(run_json, "--port", str(port))
    assert viewing.port == port


def test_open_opens_the_page(run_json: Path, tmp_path: Path, view: View) -> None:
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "$1" > opened\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    viewing = view(run_json, "--open", BROWSER=str(browser))
    opened = tmp_path / "opened"
    wait_for(lambda: opened.exists() and opened.read_text().strip())
    assert opened.read_text().strip() == viewing.url
    assert viewing.stop()[0] == 0


def test_without_a_browser_it_says_so(run_json: Path, tmp_path: Path, view: View) -> None:
    (tmp_path / "bin").mkdir()
    viewing = view(run_json, "--open", PATH=str(tmp_path / "bin"), BROWSER="no-such-browser", DISPLAY="")
    said = viewing.process.stderr.readline() + viewing.process.stderr.readline()
    assert "warning: no browser was found; open the address above in yours\n" in said
    assert viewing.stop()[0] == 0


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_is_no_result(data: Path, nearid: Nearid) -> None:
    assert nearid("view", "gone.json").error == "cannot read gone.json: No such file or directory"
    (data / "other.json").write_text("{}")
    assert nearid("view", "other.json").error.startswith(
        "other.json is not a result of nearid score or nearid compare: expected schema"
    )
    assert "cannot read refs" in nearid("view", "refs").error


def test_results_that_cannot_be_told_apart_or_compared(
    run_json: Path, tmp_path: Path, nearid: Nearid
) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "run.json").write_bytes(run_json.read_bytes())
    assert nearid("view", "run.json", "b/run.json").error.startswith("two results are called run; name them")
    document = json.loads(run_json.read_text())
    document["metrics"][0]["fingerprint"] = "another"
    (tmp_path / "other.json").write_text(json.dumps(document))
    assert "fingerprint" in nearid("view", "run.json", "other.json").err


def test_it_needs_nothing_heavy(run_json: Path, tmp_path: Path) -> None:
    program = (
        "import sys, threading, urllib.request, http.server, _thread\n"
        "from nearid_cli.view.server import Server\n"
        "forever = Server.serve_forever\n"
        "def once(server):\n"
        "    def ask():\n"
        "        for address in ('', 'picture/0', 'thumbnail/0'):\n"
        "            urllib.request.urlopen(server.url + address).read()\n"
        "        _thread.interrupt_main()\n"
        "    threading.Thread(target=ask).start()\n"
        "    forever(server)\n"
        "Server.serve_forever = once\n"
        "from nearid_cli.cli.app import main\n"
        "code = main(['view', 'run.json', 'run2.json'])\n"
        f"print(code, sorted({set(HEAVY)!r} & set(sys.modules)))\n"
    )
    (tmp_path / "run2.json").write_bytes(run_json.read_bytes())
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert finished.stdout.splitlines()[1:] == ["0 []"], finished.stderr
