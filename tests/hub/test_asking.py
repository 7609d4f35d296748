"""What the Hub, and what stands between here and the Hub, may answer: each with its reason and what to do."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import constants

from nearid_cli.encoders.hub.failures import OfflineError
from nearid_cli.errors import ModelError
from tests.hub.conftest import Here
from tests.hub.simulated import Repository, SimulatedHub

Checkpoint = Callable[[str], Path]


@pytest.fixture(autouse=True)
def commit(hub: SimulatedHub, checkpoint: Checkpoint) -> str:
    return hub.add("org/model", checkpoint("dinov2"))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("portal", "came in place of the Hub's answer: log in to the network with a browser"),
        (
            "blocked-page",
            "(403) came in place of the Hub's answer: a proxy or firewall refuses it; ask for 127",
        ),
        ("silent", "no answer in time (HF_HUB_ETAG_TIMEOUT sets the seconds)"),
        ("api-busy", "the Hub answered with an error (503, it is busy); try again later"),
        ("api-error", "the Hub answered with an error (500); try again later"),
        ("api-limited-long", "(429, too many requests from here); try again later"),
        ("api-dropped", "the connection to the Hub broke; try again later"),
        ("api-not-a-hub", "does not answer as a Hub does: check HF_ENDPOINT and the proxy"),
        ("file-gone", "the Hub lists config.json and does not have it"),
        ("file-busy", "the Hub answered with an error (503, it is busy); try again later"),
    ],
)
def test_what_stays_wrong_is_told(hub: SimulatedHub, here: Here, fault: str, reason: str) -> None:
    hub.fail(fault)
    assert reason in here.reason()


@pytest.mark.parametrize("fault", ["api-busy", "api-error", "api-limited", "api-dropped"])
def test_what_passes_is_asked_again(hub: SimulatedHub, here: Here, commit: str, fault: str) -> None:
    hub.fail(fault, times=1)
    assert here.fetch().name == commit
    assert any(line.endswith("; asking again") for line in here.lines)


def test_an_hour_is_not_waited(hub: SimulatedHub, here: Here) -> None:
    hub.fail("api-limited-long")
    here.reason()
    assert len(hub.asked("api/models")) == 1


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"gated": True},
            "it is gated: accept its terms on https://huggingface.co/org/it, then `hf auth login`",
        ),
        (
            {"private": True},
            "the Hub has no such model: check the spelling, or `hf auth login` if it is private",
        ),
        ({"disabled": True}, "the Hub has disabled it"),
        (
            {"forbidden": True},
            "the Hub refused access (403): `hf auth login` with an account that may read it",
        ),
    ],
)
@pytest.mark.parametrize("token", [None, "hf_valid"])
def test_refusals_of_the_hub(
    hub: SimulatedHub,
    here: Here,
    checkpoint: Checkpoint,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, bool],
    reason: str,
    token: str | None,
) -> None:
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    hub.add("org/it", checkpoint("vit"), **options)
    assert here.reason("org/it").startswith(reason)


def test_what_does_not_exist(here: Here, hub: SimulatedHub) -> None:
    assert here.reason("org/typo").startswith("the Hub has no such model: check the spelling")
    assert here.reason("org/model", "v9") == "the Hub has the model, and no revision v9 of it"
    assert here.reason("org/model", "f" * 40).startswith("the Hub has the model, and no revision fff")
    assert here.reason("org/a--b") == "it is not a valid Hub id (organisation/model)"


def test_a_token_that_is_not_taken_is_left_out(
    hub: SimulatedHub, here: Here, commit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    hub.fail("token")
    assert here.fetch().name == commit
    assert here.lines[0] == (
        "the Hub does not take the token of HF_TOKEN (expired?): going on without it; `hf auth login` makes a new one"
    )
    assert here.reason("org/private").startswith(
        "the Hub does not take the token of HF_TOKEN (expired?), and shows no such model without"
    )


def test_a_token_that_no_header_can_hold_is_left_out(
    here: Here, commit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_‘quoted’")
    assert here.fetch().name == commit
    assert "does not take the token of HF_TOKEN" in here.lines[0]


def test_a_renamed_repository_is_found_and_named(hub: SimulatedHub, here: Here, commit: str) -> None:
    hub.repositories["old/name"] = Repository(renamed_to="org/model")
    assert here.fetch("old/name").name == commit
    assert here.lines[0] == "old/name is called org/model on the Hub now"
    here.offline()
    assert here.resolve("old/name")[0].revision == commit


def test_the_other_checkpoints_go_on(hub: SimulatedHub, here: Here, checkpoint: Checkpoint) -> None:
    hub.add("org/gated", checkpoint("vit"), gated=True)
    hub.fail("portal", times=1)
    found = here.problems("org/first", "org/gated", "org/model")
    assert "a web page of" in found["org/first"]
    assert "it is gated" in found["org/gated"]
    here.offline()
    assert len(here.resolve("org/model")) == 1


def test_an_unknown_architecture_costs_no_weights(
    hub: SimulatedHub, here: Here, checkpoint: Checkpoint
) -> None:
    folder = checkpoint("vit")
    (folder / "config.json").write_text('{"model_type": "llama"}')
    hub.add("org/llama", folder)
    with pytest.raises(ModelError, match="llama"):
        here.fetch("org/llama")
    assert hub.asked("storage") == []


def test_files_are_kept_in_their_folder(hub: SimulatedHub, here: Here, checkpoint: Checkpoint) -> None:
    files = {file.name: file.read_bytes() for file in checkpoint("vit").iterdir()}
    del files["model.safetensors"]
    files |= {"model.safetensors.index.json": b"{}", "model-/../../../x-of-1.safetensors": b"x"}
    hub.add("org/evil", files)
    assert "would lie outside of its folder" in here.reason("org/evil")


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("hf-mirror.com", "HF_ENDPOINT is hf-mirror.com, and an address begins with https://: "),
        ("", "HF_ENDPOINT is set to nothing"),
        ("ftp://hub", "HF_ENDPOINT is ftp://hub, and an address begins with https://"),
        ("http://127.0.0.1:9", "the Hub cannot be reached at http://127.0.0.1:9: the connection was refused"),
        ("http://no-such-machine.invalid", "the name of the machine is not known here (DNS)"),
    ],
)
def test_wrong_endpoints(here: Here, monkeypatch: pytest.MonkeyPatch, endpoint: str, reason: str) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    found = here.problems("org/a", "org/b")
    assert reason in found["org/a"]
    assert reason in found["org/b"]


def test_an_address_without_a_hub(hub: SimulatedHub, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.prefix = "/hub"
    assert "(404) came in place of the Hub's answer: HF_ENDPOINT is not the address of a Hub" in here.reason()


def test_a_silent_network_is_asked_once(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts, and never answers
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert len(here.problems("org/a", "org/b", "org/c")) >= 3
        listener.settimeout(0.1)
        listener.accept()[0].close()
        with pytest.raises(TimeoutError):
            listener.accept()


def test_offline_is_respected(hub: SimulatedHub, here: Here) -> None:
    here.offline()
    with pytest.raises(OfflineError, match="HF_HUB_OFFLINE is set"):
        here.fetch()
    assert hub.requests == []
