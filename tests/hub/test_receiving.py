"""One file's way into the cache, with everything that breaks on it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nearid_cli.encoders.hub.failures import HubError
from nearid_cli.encoders.hub.fetching import download_files
from nearid_cli.text import file_size
from tests.hub.conftest import Here, environment
from tests.hub.simulated import NOWHERE, SimulatedHub

Checkpoint = Callable[[str], Path]


@pytest.fixture(autouse=True)
def commit(hub: SimulatedHub, checkpoint: Checkpoint) -> str:
    """A model on the Hub, with weights of 200 kB, so that a half of them is more than a buffer."""
    return hub.add("org/model", checkpoint("vit"))


def same(hub: SimulatedHub, folder: Path, commit: str) -> bool:
    """Whether a snapshot holds what the Hub has."""
    files = hub.repositories["org/model"].commits[commit]
    found = {file.name: file.read_bytes() for file in folder.iterdir()}
    return bool(found) and all(files[name] == content for name, content in found.items())


@pytest.mark.parametrize(
    "fault", ["storage-cut", "storage-stall", "storage-expired", "storage-busy", "file-busy", "file-limited"]
)
def test_what_breaks_once_goes_on_where_it_broke(
    hub: SimulatedHub, here: Here, commit: str, fault: str
) -> None:
    hub.fail(fault, times=1)
    assert same(hub, here.fetch(), commit)
    assert here.partials() == []
    ranges = [request for request in hub.asked("storage GET") if "Range=" in request]
    assert bool(ranges) == (fault in ("storage-cut", "storage-stall"))


def test_links_that_never_work_are_told(hub: SimulatedHub, here: Here) -> None:
    hub.fail("storage-expired")
    assert here.reason() == (
        f"{hub.storage} (the Hub's large files) refuses fresh links too (403); try again later"
    )
    assert len(hub.asked("storage GET")) > 1


def test_what_stays_broken_is_gone_on_with_by_the_next_command(
    hub: SimulatedHub, here: Here, commit: str
) -> None:
    storage = hub.storage

    def vanish() -> None:
        while not hub.asked("storage GET"):
            time.sleep(0.01)
        hub.storage = NOWHERE

    hub.fail("storage-cut", times=1)
    thread = threading.Thread(target=vanish)
    thread.start()
    reason = here.reason()
    thread.join()
    assert f"{NOWHERE} (the Hub's large files) cannot be reached: the connection was refused" in reason
    (partial,) = here.partials()
    had = partial.stat().st_size
    assert had > 0
    assert reason.endswith(f"; {file_size(had)} of it are here: the same command goes on from there")

    hub.storage = storage
    assert same(hub, here.fetch(), commit)
    assert hub.asked(f"Range=bytes={had}-")
    assert here.partials() == []


def test_a_server_without_ranges_gives_the_whole_again(hub: SimulatedHub, here: Here, commit: str) -> None:
    hub.fail("storage-cut", times=1)
    hub.fail("storage-no-ranges")
    assert same(hub, here.fetch(), commit)


def test_a_server_that_always_breaks_and_has_no_ranges_is_given_up(hub: SimulatedHub, here: Here) -> None:
    hub.fail("storage-cut")
    hub.fail("storage-no-ranges")
    assert "(the Hub's large files) broke; " in here.reason()


def test_content_that_is_not_what_the_hub_announces_is_fetched_again_once(
    hub: SimulatedHub, here: Here, commit: str
) -> None:
    hub.fail("storage-corrupt", times=1)
    assert same(hub, here.fetch(), commit)


def test_content_that_stays_wrong_is_refused_and_not_kept(hub: SimulatedHub, here: Here) -> None:
    hub.fail("storage-corrupt")
    assert "model.safetensors arrived twice as something else than the Hub announces" in here.reason()
    assert here.partials() == []
    assert not list(here.cache.rglob("model.safetensors"))


def test_a_blocked_storage_is_named(hub: SimulatedHub, here: Here) -> None:
    hub.storage = NOWHERE
    reason = here.reason()
    assert reason.startswith(f"{NOWHERE} (the Hub's large files) cannot be reached")
    assert "goes on" not in reason  # nothing is here to go on with


def test_a_storage_that_a_proxy_blocks_is_named(hub: SimulatedHub, here: Here) -> None:
    hub.fail("storage-blocked-page")
    assert f"a web page of {hub.storage} (403) came in place of the Hub's answer" in here.reason()
    assert f"ask for {hub.storage} to be allowed" in here.reason()


def test_xet_is_not_needed(tmp_path: Path, here: Here, checkpoint: Checkpoint) -> None:
    with SimulatedHub(xet=f"http://{NOWHERE}") as hub:
        commit = hub.add("org/model", checkpoint("dinov2"))
        here.use(hub)
        assert same(hub, here.fetch(), commit)
        assert hub.asked("xet-read-token") == []


def test_a_mirror_that_gives_no_digests(here: Here, checkpoint: Checkpoint) -> None:
    with SimulatedHub(prefix="/mirror/hf", lists_digests=False) as hub:
        commit = hub.add("org/model", checkpoint("dinov2"))
        here.use(hub)
        hub.fail("storage-cut", times=1)
        assert same(hub, here.fetch(), commit)


def test_the_token_stays_with_the_hub(hub: SimulatedHub, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    here.fetch()
    assert hub.asked("hf_secret")
    assert not [request for request in hub.asked("storage") if "hf_secret" in request]


def test_a_full_disk_is_told_before_anything_is_fetched(
    hub: SimulatedHub, here: Here, checkpoint: Checkpoint
) -> None:
    files = {file.name: file.read_bytes() for file in checkpoint("dinov2").iterdir()}
    hub.add("org/huge", files)
    # The Hub announces more than any disk holds.
    content = hub.repositories["org/huge"].commits[hub.repositories["org/huge"].branches["main"]]
    content["model.safetensors"] = type("Huge", (bytes,), {"__len__": lambda _: 10**18})(b"x")
    reason = here.reason("org/huge")
    assert "no space is left (1000000000.0 GB to come, " in reason
    assert "set HF_HUB_CACHE to a folder on a larger disk" in reason
    assert hub.asked("storage") == []


def test_orphans_go_and_the_work_of_others_stays(hub: SimulatedHub, here: Here) -> None:
    blobs = here.cache / "models--org--model" / "blobs"
    blobs.mkdir(parents=True)
    old, new, ours = (
        blobs / name
        for name in (
            f"{'a' * 64}.incomplete",
            f"{'b' * 64}.0123abcd.incomplete",
            f"{'c' * 64}.nearid.incomplete",
        )
    )
    held = blobs / f"{'d' * 64}.0123abcd.incomplete"
    for path in (old, new, ours, held):
        path.write_bytes(b"begun")
    locks = here.cache / ".locks" / "models--org--model"
    locks.mkdir(parents=True)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time, filelock\n"
            "with filelock.FileLock(sys.argv[1]):\n    print('held', flush=True)\n    time.sleep(600)",
            str(locks / f"{'d' * 64}.lock"),
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        here.fetch()
    finally:
        holder.kill()
        holder.communicate()
    assert here.partials() == [held]


def test_two_processes_fetch_once(hub: SimulatedHub, tmp_path: Path) -> None:
    hub.fail("storage-held", times=1)
    command = [sys.executable, "-m", "nearid_cli", "models", "pull", "org/model"]
    variables = environment(hub.endpoint, tmp_path / "home", HF_HUB_DOWNLOAD_TIMEOUT="600")
    with subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True) as first:
        while not hub.asked("storage GET"):
            time.sleep(0.02)
        with subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True) as second:
            assert second.stderr is not None
            assert second.stderr.readline().startswith("downloading org/model (")
            waiting = second.stderr.readline()
            hub.released.set()
    assert waiting == "another process is fetching model.safetensors of org/model: waiting for it\n"
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(hub.asked("storage GET")) == 1


def test_a_cache_that_cannot_be_written_is_named(here: Here) -> None:
    here.cache.write_text("a file where the cache should be")
    reason = here.reason()
    assert f"it cannot be written to {here.cache}: Not a directory" in reason
    assert "set HF_HUB_CACHE to a folder that is yours" in reason


def test_files_of_a_repository_by_their_names(hub: SimulatedHub, here: Here) -> None:
    parts = {
        "vae/config.json": b"{}",
        "vae/model.safetensors": b"weights",
        "unet/model.safetensors": b"large",
    }
    commit = hub.add("org/parts", parts)
    wanted = ["vae/config.json", "vae/model.safetensors"]
    folder = download_files("org/parts", None, wanted, here.lines.append)
    assert {name: (folder / name).read_bytes() for name in wanted} == {name: parts[name] for name in wanted}
    assert folder.name == commit
    assert not (folder / "unet").exists()
    with pytest.raises(HubError, match=r"^org/parts has no a\.onnx, b\.onnx$"):
        download_files("org/parts", None, ["a.onnx", "vae/config.json", "b.onnx"], here.lines.append)
