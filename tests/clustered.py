"""A Ray cluster of several nodes on this machine for tests, commands run through it, and a metric that can be watched.

Run as a program, it is the cluster: it says where that is, adds a node for each line it gets, with the environment that
the line says, and ends it when there are no more lines, as when the tests are killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nearid_cli.encoders.descriptors import HogEncoder
from nearid_cli.plugins import EmbeddingMetric
from tests.commandline import Finished

STORE = 80 * 2**20  # bytes; Ray takes no less
HUNGER = 5 * 2**30  # bytes
LENGTH = 2**15  # numbers of a prepared picture
ROOT = Path(__file__).parents[1]


@dataclass
class RayCluster:
    """A cluster in a process of its own; `nodes` are the process numbers of its raylets, by Ray's ids."""

    process: subprocess.Popen[str]
    environment: dict[str, str]
    nodes: dict[str, int]

    def add(self, **environment: str) -> str:
        """Add a node, and return Ray's id of it."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(environment) + "\n")
        self.process.stdin.flush()
        node, pid = self._said()
        self.nodes[node] = pid
        return str(node)

    def _said(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


@contextlib.contextmanager
def ray_cluster(**environment: str) -> Iterator[RayCluster]:
    """A cluster of two nodes of one CPU each, whose processes end with the block."""
    folder = tempfile.mkdtemp(prefix="nr", dir="/tmp")  # whose sockets' paths must be short
    given = {
        "PYTHONPATH": str(ROOT),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "OMP_NUM_THREADS": "1",
        "NEARID_TEST_RAY": folder,
        **environment,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.clustered"],
        env=os.environ | given,
        cwd=folder,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        cluster = RayCluster(process, given, {})
        address = cluster._said()
        given["RAY_ADDRESS"] = address
        for _ in range(2):
            node, pid = cluster._said()
            cluster.nodes[node] = pid
        yield cluster
    finally:
        process.communicate(timeout=120)  # which ends its lines
        shutil.rmtree(folder, ignore_errors=True)


def commands(cluster: RayCluster, folder: Path, *arguments: Sequence[str | Path]) -> list[Finished]:
    """Run several commands one after the other in one process, in a folder."""
    asked = json.dumps([[str(one) for one in command] for command in arguments])
    done = subprocess.run(
        [sys.executable, "-c", "from tests.clustered import run_commands; run_commands()"],
        env=os.environ | cluster.environment,
        cwd=folder,
        input=asked,
        text=True,
        capture_output=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [Finished(*one) for one in json.loads(done.stdout)]


def run_commands() -> None:
    from nearid_cli.cli.app import main

    finished = []
    out, err = os.dup(1), os.dup(2)
    for command in json.loads(sys.stdin.read()):
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
            os.dup2(said.fileno(), 1)
            os.dup2(complained.fileno(), 2)
            code = main(command)
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(out, 1)
            os.dup2(err, 2)
            texts = []
            for file in (said, complained):
                file.seek(0)
                texts.append(file.read().decode())
        finished.append([code, *texts])
    print(json.dumps(finished))


class Watched(EmbeddingMetric):
    """Part of `hog` that says when a batch begins, and waits for leave: a file `go`, or `step`, which it takes.

    In the folder NEARID_TEST_RAY, `begun` gets a line for each batch: the number of the process and of its pictures.
    """

    version = "watched/1"
    protocol = "hog, watched"

    def load(self, device: str) -> None:
        self._hog = HogEncoder()

    def prepare(self, image: Image.Image) -> Any:
        # Longer than Ray sends from process to process past what it keeps on a node.
        return np.resize(self._hog.prepare(image), LENGTH)

    def embed(self, batch: Any) -> Any:
        folder = Path(os.environ["NEARID_TEST_RAY"])
        with (folder / "begun").open("a") as file:
            file.write(f"{os.getpid()} {len(batch)}\n")
        while not (folder / "go").exists():
            with contextlib.suppress(FileNotFoundError):
                (folder / "step").unlink()
                break
            time.sleep(0.01)
        return np.stack(batch)[:, :64]


class Deadly(Watched):
    """A metric whose preparation ends the process at a red picture."""

    version = "deadly/1"

    def prepare(self, image: Image.Image) -> Any:
        if image.getpixel((0, 0)) == (255, 0, 0):
            os._exit(9)
        return super().prepare(image)


class Hungry(Watched):
    """A metric whose preparation takes more memory than there is at a red picture, so that Ray ends its process."""

    version = "hungry/1"

    def prepare(self, image: Image.Image) -> Any:
        if image.getpixel((0, 0)) == (255, 0, 0):
            taken: list[Any] = []
            while sum(map(len, taken)) * 8 < 2 * HUNGER:  # bit by bit, as others may free some meanwhile
                taken.append(np.ones(HUNGER // 8 // 16))
                time.sleep(0.05)
            time.sleep(60)
        return super().prepare(image)


def environment_of(pid: int) -> Mapping[str, str]:
    """The environment that a process was started with."""
    words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(word.decode(errors="replace").split("=", 1) for word in words if b"=" in word)


def _serve() -> None:
    import ray
    from ray.cluster_utils import Cluster

    node = {
        "num_cpus": 1,
        "num_gpus": 0,
        "object_store_memory": STORE,
        "node_ip_address": "127.0.0.1",
        "include_dashboard": False,
    }
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    del ray

    def say(something: Any) -> None:
        print(json.dumps(something), file=said, flush=True)

    def introduce(one: Any) -> None:
        raylet = one.all_processes["raylet"][0].process
        # Its processes end when it is gone, and not while its parent has yet to notice that it is.
        threading.Thread(target=raylet.wait, daemon=True).start()
        say([one.node_id, raylet.pid])

    def patiently(make: Callable[[], Any]) -> Any:
        """Start something that Ray gives half a minute, which on a busy machine may be too short."""
        for left in reversed(range(5)):
            try:
                return make()
            except Exception:
                if not left:
                    raise
        return None

    head = {**node, "temp_dir": os.environ["NEARID_TEST_RAY"]}
    cluster = patiently(lambda: Cluster(initialize_head=True, head_node_args=head))
    try:
        say(cluster.address)
        nodes = [cluster.head_node, patiently(lambda: cluster.add_node(**node))]
        for one in nodes:
            introduce(one)
        for line in sys.stdin:
            more = json.loads(line)
            before = {name: os.environ.get(name) for name in more}
            os.environ.update(more)
            one = patiently(lambda: cluster.add_node(**node))
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
            introduce(one)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    _serve()
