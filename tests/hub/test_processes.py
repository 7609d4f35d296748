"""The command line as people run it: proxies, certificates, Ctrl-C, and hints that work as printed."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.commandline import Nearid
from tests.hub.conftest import Here, Run, environment
from tests.hub.simulated import SimulatedHub

Checkpoint = Callable[[str], Path]
CERTIFICATE = Path(__file__).parent / "self_signed.pem"


@pytest.fixture(autouse=True)
def commit(hub: SimulatedHub, checkpoint: Checkpoint) -> str:
    return hub.add("org/model", checkpoint("dinov2"))


@pytest.fixture(params=[407, 403])
def proxy(request: pytest.FixtureRequest) -> Iterator[tuple[int, str]]:
    """A proxy that refuses everything with a status."""

    class Refusing(BaseHTTPRequestHandler):
        def refuse(self) -> None:
            self.send_response(request.param)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_CONNECT = refuse  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield request.param, f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses(run: Run, hub: SimulatedHub, proxy: tuple[int, str], scheme: str) -> None:
    status, address = proxy
    variables = {f"{scheme}_proxy".upper(): f"http://me:secret@{address}"}
    endpoint = hub.endpoint.replace("http:", f"{scheme}:")
    ended = run("models", "pull", "org/model", HF_ENDPOINT=endpoint, **variables)
    assert ended.code == 2
    if status == 407:
        assert f"the proxy http://{address} ({scheme.upper()}_PROXY)" in ended.err
        assert "asks for a name and password (407), written http://NAME:PASSWORD@HOST:PORT" in ended.err
    else:
        host = hub.endpoint.removeprefix("http://")
        assert f"ask for {host} to be allowed" in ended.err
        assert "(403)" in ended.err
    assert "secret" not in ended.err
    assert hub.requests == []


@pytest.mark.skipif("socksio" in sys.modules, reason="the package is here")
def test_a_socks_proxy_without_its_package(run: Run) -> None:
    ended = run("models", "pull", "org/model", ALL_PROXY="socks5://127.0.0.1:9")
    assert ended.code == 2
    assert (
        "the proxy socks5://127.0.0.1:9 (ALL_PROXY) is a SOCKS proxy, which needs a package: pip install socksio"
        in ended.err
    )


def test_a_proxy_that_is_not_there(run: Run) -> None:
    ended = run("models", "pull", "org/model", HTTP_PROXY="http://127.0.0.1:9")
    assert "through the proxy http://127.0.0.1:9 (HTTP_PROXY): the connection was refused" in ended.err
    ended = run("models", "pull", "org/model", HTTP_PROXY="gopher://127.0.0.1:9")
    assert "the proxy gopher://127.0.0.1:9 (HTTP_PROXY) cannot be used" in ended.err


def test_a_certificate_of_the_company(run: Run, checkpoint: Checkpoint) -> None:
    with SimulatedHub(certificate=CERTIFICATE) as hub:
        hub.add("org/secure", checkpoint("vit"))
        ended = run("models", "pull", "org/secure", HF_ENDPOINT=hub.endpoint)
        assert ended.code == 2
        assert "its certificate is not trusted (self-signed certificate)" in ended.err
        remedy = re.search(r"`export (SSL_CERT_FILE)=COMPANY_CERTIFICATES.pem`", ended.err)
        assert remedy
        ended = run("models", "pull", "org/secure", HF_ENDPOINT=hub.endpoint, SSL_CERT_FILE=str(CERTIFICATE))
        assert ended.code == 0, ended.err
        ended = run("models", "pull", "org/x", HF_ENDPOINT=hub.endpoint, REQUESTS_CA_BUNDLE="x.pem")
        assert "`export SSL_CERT_FILE=$REQUESTS_CA_BUNDLE`" in ended.err
        ended = run("models", "pull", "org/x", HF_ENDPOINT=hub.endpoint, SSL_CERT_FILE="/no/such/file.pem")
        assert "SSL_CERT_FILE: the certificates in /no/such/file.pem cannot be read" in ended.err


def test_https_where_http_is_spoken(run: Run, hub: SimulatedHub) -> None:
    ended = run("models", "pull", "org/model", HF_ENDPOINT=hub.endpoint.replace("http:", "https:"))
    assert "is it http:// in place of https:// there?" in ended.err


def test_settings_that_are_read_at_import(run: Run, hub: SimulatedHub) -> None:
    host = hub.endpoint.removeprefix("http://")
    ended = run("models", "pull", "org/model", HF_ENDPOINT=host)
    assert f"HF_ENDPOINT is {host}, and an address begins with https://" in ended.err
    ended = run("models", "pull", "org/model", HF_HUB_ETAG_TIMEOUT="ten")
    assert ended.lines == [
        'error: expected a whole number of seconds in HF_HUB_ETAG_TIMEOUT, found "ten"',
    ]
    ended = run("models", "pull", "org/model", TRANSFORMERS_OFFLINE="1")
    assert "TRANSFORMERS_OFFLINE is set" in ended.err


def test_doctor_says_whether_the_hub_answers(hub: SimulatedHub, here: Here, nearid: Nearid) -> None:
    def said() -> str:
        ended = nearid("doctor")
        assert ended.code == 0
        return " ".join(ended.out.split()).partition(" hub ")[2]

    hub.fail("portal", times=1)
    assert said().startswith("does not answer: a web page of")
    commit = hub.add("Aleksandar/nearid-siglip2", {"config.json": b"{}"})
    assert said() == f"{hub.endpoint} answers: Aleksandar/nearid-siglip2 is {commit[:8]}"
    here.offline()
    assert said() == "does not answer: HF_HUB_OFFLINE is set"


def test_only_our_own_lines_are_said(run: Run, hub: SimulatedHub) -> None:
    hub.fail("api-busy", times=1)
    ended = run(
        "models", "pull", "org/model", HF_TOKEN="hf_x", HF_HUB_ENABLE_HF_TRANSFER="1", HF_HUB_VERBOSITY="info"
    )
    assert ended.code == 0
    assert [line.partition("(")[0] for line in ended.lines] == [
        "the Hub answered with an error ",
        "downloading org/model ",
    ]
    assert ended.out.startswith("org/model: ")


@pytest.mark.skipif(os.name == "nt", reason="a console has no signals to send")
def test_ctrl_c_stops_a_download(hub: SimulatedHub, tmp_path: Path, run: Run) -> None:
    hub.fail("storage-drip")
    (tmp_path / "refs").mkdir()
    (tmp_path / "gens").mkdir()
    command = [sys.executable, "-m", "nearid_cli", "models", "pull", "org/model"]
    variables = environment(hub.endpoint, tmp_path / "home", HF_HUB_DOWNLOAD_TIMEOUT="60")
    with subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        partial = tmp_path / "home" / "hub"
        while not any(path.stat().st_size for path in partial.rglob("*.nearid.incomplete")):
            time.sleep(0.02)
        started.send_signal(signal.SIGINT)
        _, err = started.communicate(timeout=300)
    assert started.returncode == 130
    assert err.splitlines()[-1] == "interrupted; the same command goes on where the download stopped"
    assert "embedded" not in err

    hub.fail("storage-drip", 0)
    hub.requests.clear()
    assert run("models", "pull", "org/model").code == 0
    assert "Range=bytes=" in hub.asked("storage GET")[0]


@pytest.mark.parametrize(
    "metric", ["mine=org/model", "org/model@main", "dinov2=org/model::mean", "org/model::mean", "dino"]
)
def test_hints_work_as_printed(
    hub: SimulatedHub, here: Here, nearid: Nearid, checkpoint: Checkpoint, data: Path, metric: str
) -> None:
    hub.add("facebook/dinov2-large", checkpoint("vit"))
    here.offline()
    hints = dict(hint.split(": ", 1) for hint in nearid("score", "refs", "gens", "-m", metric).details)
    pull = shlex.split(hints["to fetch, where there is network"])
    option = shlex.split(hints["to use a local copy"])
    assert (pull[:3], option[0]) == (["nearid", "models", "pull"], "--metric")

    here.use(hub)
    pulled = nearid(*pull[1:])
    assert pulled.code == 0, pulled.err
    here.offline()
    shown = nearid("models", "info", metric)
    assert (shown.code, "fingerprint" in shown.out) == (0, True)
    folder = pulled.out.split(": ", 1)[1].rsplit(" (", 1)[0]
    local = nearid("models", "info", option[1].replace("PATH", folder))
    assert (local.code, "fingerprint" in local.out) == (0, True)
    readouts = [
        line.split()[1] for text in (shown.out, local.out) for line in text.splitlines() if "readout" in line
    ]
    assert readouts[0] == readouts[1]
