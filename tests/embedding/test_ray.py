"""A cluster of two nodes gives what one machine gives, whatever ends meanwhile, and says so when it cannot."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nearid_cli.benchmarks.contents import StoredPicture
from nearid_cli.embedding import devices
from nearid_cli.embedding.cluster import cluster as here
from nearid_cli.embedding.cluster import connection
from nearid_cli.embedding.cluster import node as there
from nearid_cli.embedding.cluster.introducing import difference, introduction, own_introduction
from nearid_cli.embedding.reading import GivenPicture, digest_or_reason
from nearid_cli.embedding.settings import Settings
from nearid_cli.embedding.stamps import Stamps
from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.registry import parse_metrics
from nearid_cli.encoders.spec import ChangedCheckpointError
from nearid_cli.errors import BadImage, BadImagesError, MachineError
from nearid_cli.images.free import free_memory
from nearid_cli.images.reading import UnreadableImage
from tests.clustered import HUNGER, ROOT, RayCluster, commands, environment_of, ray_cluster
from tests.commandline import Finished, Nearid
from tests.tiny import tiny_clip_with_text

PICTURES = 24


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with ray_cluster() as started:
        yield started


@pytest.fixture
def watch(cluster: RayCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the metric that is watched, in which nothing has begun and there is no leave to go on."""
    folder = Path(cluster.environment["NEARID_TEST_RAY"])
    monkeypatch.setenv("NEARID_TEST_RAY", str(folder))
    yield folder
    for name in ("go", "step", "begun"):
        (folder / name).unlink(missing_ok=True)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Pictures in a folder, beside the configuration of the metrics that are watched."""
    metrics = {"watched": "Watched", "deadly": "Deadly", "hungry": "Hungry"}
    lines = (f'[metrics.{name}]\nplugin = "tests.clustered:{kind}"\n' for name, kind in metrics.items())
    (tmp_path / "nearid.toml").write_text("".join(lines))
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(7)
    for index in range(PICTURES):
        Image.fromarray(random.integers(0, 256, (16, 16, 3), np.uint8)).save(folder / f"{index}.png")
    return folder


def until(holds: Callable[[], Any], process: subprocess.Popen[Any] | None = None) -> Any:
    """Wait until something holds."""
    deadline = time.monotonic() + 400
    while not (found := holds()):
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.02)
    return found


def begun(folder: Path) -> list[tuple[int, int]]:
    """The process and the number of pictures of each batch that the watched metric began."""
    file = folder / "begun"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(int(pid), int(number)) for pid, number in (line.split() for line in lines)]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def ended(pid: int) -> bool:
    """Whether a process is gone, or waits for its parent to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def start(folder: Path, environment: dict[str, str], *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nearid_cli", *map(str, arguments)],
        cwd=folder,
        env=os.environ | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def embed(engine: str, cache: str, out: str, metric: str = "watched") -> list[str]:
    return ["embed", "pictures", "--engine", engine, "-m", metric, "--batch-size", "2", "--device", "cpu",
            "--cache", cache, "-o", out]  # fmt: skip


def result(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    del found["created"]
    return found


def rows(file: Path) -> dict[str, list[float]]:
    table = pq.read_table(file).to_pylist()
    return {row["path"]: [value for key, value in row.items() if key != "path"] for row in table}


def test_numbers_words_and_codes_are_those_of_one_machine(
    cluster: RayCluster, data: Path, nearid: Nearid, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Path(shutil.copytree(data / "gens", data / "bad"))
    (bad / "cat" / "cut.jpg").write_bytes((data / "refs" / "cat" / "0.jpg").read_bytes()[:900])
    (bad / "cup" / "words.png").write_text("no picture")
    (bad / "ship" / "lost.png").symlink_to("nowhere.png")
    score = ["score", "refs", "gens", "-m", "nearid-mini,hog", "--device", "cpu"]
    asked = {
        "whole": [*score, "--cache", "CACHE", "-o", "NAME.json"],
        "otherwise": ["embed", *(("refs", "gens")), "-m", "nearid-mini", "--batch-size", "2", "--no-cache",
                      "-o", "NAME.parquet"],
        "bad": ["score", "refs", "bad", "-m", "hog", "--no-cache"],
        "without": ["score", "refs", "bad", "-m", "hog", "--no-cache", "--skip-bad", "-o", "NAME.json"],
    }  # fmt: skip

    def lines(engine: str) -> dict[str, list[str]]:
        return {
            name: [
                word.replace("NAME", f"{engine}-{name}").replace("CACHE", f"{engine}-cache")
                for word in (*command, "--engine", engine)
            ]
            for name, command in asked.items()
        }

    by_ray = lines("ray")
    by_ray["otherwise"][1:3] = ["gens", "refs"]  # in another order
    by_ray["otherwise"][by_ray["otherwise"].index("2")] = "5"  # and other batches
    through = dict(zip(asked, commands(cluster, data, *by_ray.values()), strict=True))
    for name, line in lines("torch").items():
        alone = nearid(*line)
        said = through[name]
        assert said.code == alone.code == (2 if name == "bad" else 0)
        assert said.out == alone.out
        assert _without_names(said) == _without_names(alone)
    assert result(data / "ray-whole.json") == result(data / "torch-whole.json")
    assert result(data / "ray-without.json") == result(data / "torch-without.json")
    assert rows(data / "ray-otherwise.parquet") == rows(data / "torch-otherwise.parquet")

    # What either kept is all that the other needs, and no cluster is asked for.
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    for engine, cache in (("torch", "ray-cache"), ("ray", "torch-cache")):
        kept = sorted((data / cache / "embeddings").rglob("*.parquet"))
        assert nearid(*score, "--engine", engine, "--cache", cache, "-o", "warm.json").code == 0
        assert result(data / "warm.json") == result(data / "torch-whole.json")
        assert sorted((data / cache / "embeddings").rglob("*.parquet")) == kept


@pytest.mark.torture  # half a minute: compare draws anew, twice
def test_methods_prompts_and_descriptors_compare_as_on_one_machine(
    cluster: RayCluster, data: Path, nearid: Nearid
) -> None:
    tiny_clip_with_text(data / "clip")
    for method, shift in (("ours", 0), ("theirs", 1)):
        for subject in (data / "gens").iterdir():
            for place, picture in enumerate(sorted(subject.iterdir())):
                copy = data / "methods" / method / subject.name / f"on the beach {place + shift}.png"
                copy.parent.mkdir(parents=True, exist_ok=True)
                Image.open(picture).rotate(15 * shift).save(copy)
    asked = ["--refs", "refs", "--pattern", "{method}/{subject}/{prompt}.png", "--device", "cpu"]
    asked += ["-m", "clip-i=./clip,clip-t=./clip,hog"]

    def line(engine: str) -> list[str]:
        return ["compare", "methods", *asked, "--engine", engine, "--cache", engine, "-o", f"{engine}.json"]

    (through,) = commands(cluster, data, line("ray"))
    alone = nearid(*line("torch"))
    assert (through.code, through.out) == (alone.code, alone.out) == (0, alone.out)
    assert through.said.replace("ray", "torch") == alone.said
    by_ray, by_torch = (
        json.loads((data / f"{engine}.json").read_text(), object_hook=_undated) for engine in ("ray", "torch")
    )
    assert [*by_ray["methods"][0]["result"]["aggregate"]] == ["clip-i", "clip-t", "hog"]
    assert by_ray == by_torch


def _undated(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key != "created"}


def _without_names(said: Finished) -> str:
    return said.said.replace("ray-", "").replace("torch-", "")


def test_a_killed_process_and_a_killed_node_lose_nothing(
    cluster: RayCluster, watch: Path, pictures: Path, nearid: Nearid
) -> None:
    folder = pictures.parent
    run = start(folder, cluster.environment, *embed("ray", "cache", "ray.parquet"))
    head, *_, other = cluster.nodes.values()

    def working(raylet: int) -> list[int]:
        return [pid for pid, _ in begun(watch) if not ended(pid) and parent_of(pid) == raylet]

    (first,) = until(lambda: working(head), run)
    (second,) = until(lambda: working(other), run)
    os.kill(first, signal.SIGKILL)
    until(lambda: [pid for pid in working(head) if pid != first], run)
    os.kill(other, signal.SIGKILL)
    until(lambda: ended(second), run)
    (watch / "go").touch()
    out, err = run.communicate()
    assert (run.returncode, out) == (0, ""), err
    # What each had in its hands was begun twice, and nothing else.
    assert sum(number for _, number in begun(watch)) == PICTURES + 2 * 2
    assert err == nearid(*embed("torch", "alone", "torch.parquet")).err.replace(
        "torch.parquet", "ray.parquet"
    )
    assert rows(folder / "ray.parquet") == rows(folder / "torch.parquet")
    cluster.add()
    del cluster.nodes[next(node for node, pid in cluster.nodes.items() if pid == other)]


def test_a_killed_run_leaves_nobody_at_work_and_its_embeddings_in_the_cache(
    cluster: RayCluster, watch: Path, pictures: Path
) -> None:
    folder = pictures.parent
    at_once = (
        "from nearid_cli.embedding import ledger; ledger.FLUSH_SECONDS = 0"  # and not after five seconds
    )
    program = f"import sys; {at_once}; from nearid_cli.cli.app import main; main(sys.argv[1:])"
    run = subprocess.Popen(
        [sys.executable, "-c", program, *embed("ray", "cache", "ray.parquet")],
        cwd=folder,
        env=os.environ | cluster.environment,
    )
    until(lambda: begun(watch), run)
    (watch / "step").touch()
    until(lambda: any((folder / "cache" / "embeddings").rglob("*.parquet")), run)
    run.kill()
    run.wait()
    workers = {pid for pid, _ in begun(watch)}
    until(lambda: all(ended(pid) for pid in workers))
    kept = sum(
        pq.read_metadata(part).num_rows for part in (folder / "cache" / "embeddings").rglob("*.parquet")
    )
    assert 0 < kept < PICTURES
    (watch / "begun").unlink()
    (watch / "go").touch()
    (again,) = commands(cluster, folder, embed("ray", "cache", "ray.parquet"))
    assert again.code == 0
    assert sum(number for _, number in begun(watch)) == PICTURES - kept


@pytest.mark.torture  # half a minute for two clusters to start
def test_a_cluster_of_our_own_is_for_us_alone_and_ends_with_us(
    watch: Path, cluster: RayCluster, pictures: Path, nearid: Nearid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="nr") as own:
        environment = {"TMPDIR": own, "HOME": own, "PYTHONPATH": str(ROOT)}
        more = [*embed("ray", "cache", "ray.parquet"), "--workers", "1"]
        run = start(pictures.parent, environment, *more)
        until(lambda: begun(watch), run)
        processes = {pid for pid in _all_processes() if environment_of(pid).get("TMPDIR") == own} - {run.pid}
        assert processes
        assert _listening(processes) <= {"127.0.0.1", "::1"}
        run.kill()
        run.communicate()
        until(lambda: all(ended(pid) for pid in processes))

        (watch / "go").touch()
        run = start(pictures.parent, environment, *more)
        out, err = run.communicate()
        assert (run.returncode, out) == (0, ""), err
        alone = nearid(*embed("torch", "alone", "torch.parquet"))
        assert err == alone.err.replace("torch.parquet", "ray.parquet")
        assert rows(pictures.parent / "ray.parquet") == rows(pictures.parent / "torch.parquet")
        # Of the run that was killed, its folder of logs is left; of the other one nothing, and nothing in the home.
        assert [path.name[:10] for path in Path(own).iterdir()] == ["nearid-ray"]


def _all_processes() -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                environment_of(int(entry.name))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            yield int(entry.name)


def _listening(processes: set[int]) -> set[str]:
    """The addresses at which processes listen."""
    sockets = set()
    for pid in processes:
        for file in Path(f"/proc/{pid}/fd").iterdir():
            try:
                sockets.add(str(file.readlink()))
            except FileNotFoundError:
                continue
    found = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                raw = bytes.fromhex(fields[1].partition(":")[0])
                words = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
                found.add(socket.inet_ntop(family, words).removeprefix("::ffff:"))
    return found


def test_a_node_that_sees_other_files_is_named(cluster: RayCluster, data: Path) -> None:
    # Each process has a current folder of its own.
    (done,) = commands(
        cluster,
        data,
        [
            "embed",
            "/proc/self/cwd/gens",
            "-m",
            "hog",
            "--engine",
            "ray",
            "--device",
            "cpu",
            "-o",
            "a.parquet",
        ],
    )
    nodes = sorted(node[:8] for node in cluster.nodes)
    said = sorted([done.error, *done.details])
    assert all("does not see /proc/self/cwd/gens/cat/0.png" in line for line in said)
    assert sorted(line.partition("(")[2][:8] for line in said) == nodes
    assert "at the same paths on all nodes" in done.error


def test_a_node_with_other_code_is_named(cluster: RayCluster, data: Path) -> None:
    other = data / "other"
    shutil.copytree(ROOT / "nearid_cli", other / "nearid_cli", ignore=shutil.ignore_patterns("__pycache__"))
    with (other / "nearid_cli" / "text.py").open("a") as file:
        file.write("# changed\n")
    node = cluster.add(PYTHONPATH=str(other))
    try:
        (done,) = commands(
            cluster,
            data,
            ["embed", "gens", "-m", "hog", "--engine", "ray", "--device", "cpu", "-o", "a.parquet"],
        )
        assert f"({node[:8]}) has nearid-cli" in done.error
        assert "install the same on all nodes" in done.error
        assert not done.details
    finally:
        os.kill(cluster.nodes.pop(node), signal.SIGKILL)


def test_nodes_without_the_code_of_a_metric_are_named_and_no_picture(
    cluster: RayCluster, pictures: Path
) -> None:
    shutil.copy(ROOT / "tests" / "clustered.py", pictures.parent / "beside.py")
    (pictures.parent / "nearid.toml").write_text('[metrics.watched]\nplugin = "beside:Watched"\n')
    (done,) = commands(cluster, pictures.parent, embed("ray", "cache", "ray.parquet"))
    said = sorted(line.partition(":")[0] for line in (done.error, *done.details))
    assert len(said) == len(cluster.nodes)
    assert all(
        re.search(r"^node .* has the module beside none, this machine \(code \w+\)", line) for line in said
    )
    assert "install the same on all nodes" in done.error


@pytest.mark.torture  # Ray asks for 20 seconds
def test_a_token_that_is_another(cluster: RayCluster, data: Path) -> None:
    stranger = replace(cluster, environment={**cluster.environment, "RAY_AUTH_TOKEN": "a" * 64})
    asked = ["embed", "gens", "-m", "hog", "--engine", "ray", "--device", "cpu", "-o", "a.parquet"]
    (done,) = commands(stranger, data, asked)
    assert done.error.startswith("no Ray cluster at RAY_ADDRESS=127.0.0.1:")
    assert "its token that of RAY_AUTH_TOKEN?" in done.error
    assert not done.details


@pytest.mark.torture
def test_a_picture_that_ends_its_process_is_named(cluster: RayCluster, watch: Path, pictures: Path) -> None:
    Image.new("RGB", (16, 16), (255, 0, 0)).save(pictures / "red.png")
    (watch / "go").touch()
    deadly = embed("ray", "cache", "ray.parquet", "deadly")
    (done,) = commands(cluster, pictures.parent, deadly)
    assert done.error.startswith("preparing pictures/red.png ended its process in each of 3 tries")


@pytest.mark.torture  # Ray waits longer before each try
def test_a_picture_that_takes_all_memory_is_named(pictures: Path) -> None:
    Image.new("RGB", (16, 16), (255, 0, 0)).save(pictures / "red.png")
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    allowed = 1 - (free_memory() - 0.8 * HUNGER) / total
    with ray_cluster(RAY_memory_usage_threshold=f"{allowed:.3f}", RAY_memory_monitor_refresh_ms="100") as own:
        Path(own.environment["NEARID_TEST_RAY"], "go").touch()
        (done,) = commands(own, pictures.parent, embed("ray", "cache", "ray.parquet", "hungry"))
    assert done.error.startswith("preparing pictures/red.png ended its process in each of 3 tries")
    assert "low on memory" in done.error


def test_a_run_that_is_told_to_end_does_so_as_by_ctrl_c(
    cluster: RayCluster, watch: Path, pictures: Path
) -> None:
    run = start(pictures.parent, cluster.environment, *embed("ray", "cache", "ray.parquet"))
    until(lambda: begun(watch), run)
    run.terminate()
    out, err = run.communicate()
    assert (run.returncode, out) == (130, "")
    assert err.splitlines()[1:] == ["interrupted; what is embedded is kept"]
    until(lambda: all(ended(pid) for pid, _ in begun(watch)))


def test_a_node_that_hangs_at_the_end_is_not_waited_for(cluster: RayCluster, data: Path) -> None:
    raylet = next(iter(cluster.nodes.values()))
    program = (
        "import os, signal, sys; from nearid_cli.cli.app import main\n"
        "from nearid_cli.embedding.cluster import connection; connection._LEAVING = 1\n"
        f"code = main(sys.argv[1:]); os.kill({raylet}, signal.SIGSTOP); sys.exit(code or 7)"
    )
    asked = [
        "embed",
        "gens",
        "-m",
        "hog",
        "--engine",
        "ray",
        "--device",
        "cpu",
        "--no-cache",
        "-o",
        "a.parquet",
    ]
    try:
        run = subprocess.run(
            [sys.executable, "-c", program, *asked],
            cwd=data,
            env=os.environ | cluster.environment,
            text=True,
            capture_output=True,
            timeout=60,
        )
    finally:
        os.kill(raylet, signal.SIGCONT)
    assert run.returncode == 7
    assert run.stderr.splitlines()[-1] == (
        "warning: this machine's node of the Ray cluster does not answer; its leave to go was not waited for"
    )
    assert (data / "a.parquet").is_file()


@pytest.mark.torture  # a cluster of its own
def test_a_run_whose_node_ends_says_so_and_keeps_what_is_embedded(pictures: Path) -> None:
    with ray_cluster() as own:
        watch = Path(own.environment["NEARID_TEST_RAY"])
        run = start(pictures.parent, own.environment, *embed("ray", "cache", "ray.parquet"))
        until(lambda: begun(watch), run)
        (watch / "step").touch()
        until(lambda: len(begun(watch)) > len(own.nodes), run)
        os.kill(next(iter(own.nodes.values())), signal.SIGKILL)
        out, err = run.communicate()
    assert (run.returncode, out) == (2, "")
    assert err.splitlines()[1:] == [
        "error: this machine's node of the Ray cluster ended; what was embedded is kept; "
        "run again when the cluster is whole"
    ]
    kept = sum(
        pq.read_metadata(part).num_rows
        for part in (pictures.parent / "cache").rglob("embeddings/*/*.parquet")
    )
    assert kept == 2


def test_a_cluster_that_is_gone_is_missed_while_nothing_comes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "0.1")
    turns = [0, 0, 1]

    def wait(references: list[str], **_: object) -> tuple[list[str], list[str]]:
        time.sleep(0.02)
        return references[: turns.pop(0) if turns else 0], []

    with socket.create_server(("127.0.0.1", 0)) as node, socket.create_server(("127.0.0.1", 0)) as head:
        context = SimpleNamespace(get_node_id=lambda: "n", gcs_address=f"127.0.0.1:{head.getsockname()[1]}")
        own = {"NodeID": "n", "NodeManagerAddress": "127.0.0.1", "NodeManagerPort": node.getsockname()[1]}
        ray = SimpleNamespace(get_runtime_context=lambda: context, nodes=lambda: [own], wait=wait)
        lifeline = connection.Lifeline(ray)
        assert lifeline.first_done(["a", "b"]) == "a"
        head.close()
        with pytest.raises(MachineError, match=r"the head of the Ray cluster is gone \(Connection refused\)"):
            lifeline.first_done(["a"])
        node.close()
        with pytest.raises(MachineError, match="this machine's node of the Ray cluster ended"):
            lifeline.first_done(["a"])


def test_no_cluster_is_one_line(nearid: Nearid, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["embed", "gens", "-m", "hog", "--engine", "ray", "--no-cache", "-o", "a.parquet"]
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
        monkeypatch.setattr("nearid_cli.embedding.cluster.connection._SECONDS", 0.2)
        assert nearid(*asked).error.startswith(f"no Ray cluster at RAY_ADDRESS=127.0.0.1:{port} (")
    assert "Connection refused" in nearid(*asked).error
    for address in ("ray://127.0.0.1:10001", "somewhere", "a:b", "a:99999"):
        monkeypatch.setenv("RAY_ADDRESS", address)
        assert nearid(*asked).error.startswith("RAY_ADDRESS: expected HOST:PORT")
    for device in ("cuda:1", "mps"):
        assert "--device auto, cpu or cuda" in nearid(*asked, "--device", device).error
    monkeypatch.setattr(devices, "_has_ray", lambda: False)
    assert nearid(*asked).error == '--engine ray needs Ray: pip install "nearid-cli[ray]"'
    assert "ray" not in sys.modules


def test_versions_are_compared() -> None:
    by_module = own_introduction(("tests",))
    assert by_module["the module tests"].startswith("(code ")
    assert own_introduction(("no_such",))["the module no_such"] == "none"
    own = introduction()()
    assert own == dict(own_introduction())
    assert difference("n", own, own) is None
    line = difference("n", {**own, "torch": "1", "nearid-cli": "none"}, own)
    assert line is not None
    assert line.startswith("node n has nearid-cli none, this machine ")


def test_a_node_is_believed_only_where_this_machine_finds_the_same(data: Path) -> None:
    good, broken = data / "gens" / "cat" / "0.png", data / "gens" / "cat" / "broken.png"
    broken.write_text("no picture")
    stamps = Stamps()
    state, digest = digest_or_reason(good)  # type: ignore[misc]
    assert here._as_seen_here(good, 0, (state, digest), "n", stamps) == (state, digest)
    # Another file under the same path: this machine reads its own.
    stranger = (state._replace(size=1), b"x" * 32)
    assert here._as_seen_here(good, 0, stranger, "n", stamps) == (state, digest)
    assert here._as_seen_here(broken, 0, "lost", "n", stamps) == digest_or_reason(broken)
    with pytest.raises(MachineError, match=r"node n cannot use .*0\.png \(lost\), which this machine can"):
        here._as_seen_here(good, 0, "lost", "n", stamps)

    plan = there.Plan("1", {}, Settings(), None, (), {}, None)
    error = UnreadableImage("lost")
    with pytest.raises(MachineError, match=r"node n cannot use .*0\.png \(lost\), which this machine can"):
        here._confirmed(digest, GivenPicture(good, digest), error, "n", plan)
    own = here._confirmed(digest, GivenPicture(broken, digest), error, "n", plan)
    assert own.reason == digest_or_reason(broken)


def test_weights_are_held_to_their_digest_on_nodes(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(there, "_begin", lambda plan: "n")
    (spec,) = resolve(parse_metrics([str(checkpoint)]), "float32")
    # In the Hub cache a commit stands for the weights here; nodes are told their digest.
    by_commit = replace(spec, digests={**spec.digests, "model.safetensors": None})
    cluster = here.Cluster("cpu", True, lambda path: str(spec.digests[path.name]))
    known = cluster._known_by_content(by_commit)
    assert known.digests == spec.digests
    plan = there.Plan("1", {"a": known}, Settings(), None, (), {}, None)
    there.Embedder(plan, 1).load()
    weights = checkpoint / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ChangedCheckpointError, match=r"model\.safetensors changed"):
        there.Embedder(plan, 1).load()


def test_errors_and_pictures_of_data_sets_travel(data: Path) -> None:
    error = BadImagesError("two", [BadImage("a", "b"), BadImage("c", "d")])
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.message, copy.details, copy.bad) == (error.message, error.details, error.bad)

    class Columns:
        def place(self, row: int, slot: int) -> str:
            return f"set, row {row}"

        def content(self, row: int, slot: int) -> bytes | None:
            return (data / "gens" / "cat" / f"{row}.png").read_bytes()

    stored = StoredPicture(Columns(), 1, 0, Columns(), "none")  # type: ignore[arg-type]
    travelled = pickle.loads(pickle.dumps(stored.for_travel()))
    assert travelled.name == stored.name
    assert travelled.open(None).image.tobytes() == stored.open(None).image.tobytes()
