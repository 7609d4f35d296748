"""The Ray cluster that is used: the one at RAY_ADDRESS, or one of this machine that ends with this process.

Whoever reaches a cluster runs what they like on it. So a cluster of our own listens on 127.0.0.1 alone, and takes
nobody without its token, which no file holds.
"""

from __future__ import annotations

import atexit
import errno
import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nearid_cli.activity import doing
from nearid_cli.errors import MachineError, UsageError
from nearid_cli.interrupts import interrupts_held
from nearid_cli.text import printable, said

_STAY_HERE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Whether this machine is more to Ray than 127.0.0.1, and not on these systems alone."""

RETRIES = 2  # of Ray's, of a task whose process or node ended, for want of memory or else
_AFTER_HUNGER = "RAY_task_oom_retries"
_GIVES_UP = "RAY_gcs_rpc_server_reconnect_timeout_s"
"""After how many seconds without the head Ray ends a process."""

_LOOK = 1  # seconds without news, after which is seen whether the cluster is still there
_THEN = "what was embedded is kept; run again when the cluster is whole"
_SECONDS = 5  # to answer at all
_LEAVING = 15  # seconds that a cluster is given to let go of us
_LEAST_STORE, _MOST_STORE = 80 * 2**20, 2 * 2**30  # bytes; Ray takes no less than the former
_TRIES = 30  # to delete what others still write
_LONGEST = 40  # characters of a folder for sockets, of whose path the system takes 107


def connect(workers: int) -> Any:
    """The module `ray`, connected: as the program that runs this did it, or now.

    Args:
        workers: CPUs of a cluster of our own.

    Raises:
        UsageError: there is no cluster at RAY_ADDRESS.
        MachineError: none can be started here.
    """
    address = os.environ.get("RAY_ADDRESS", "").strip()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is ever sent
    # Of itself Ray does again without end what its guard of memory ended.
    os.environ[_AFTER_HUNGER] = str(RETRIES)
    # Its compiled part would write to stderr where in its code a signal came, and that objects were lost with a node.
    os.environ["RAY_DISABLE_FAILURE_SIGNAL_HANDLER"] = "1"
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    with doing("connecting to Ray" if address else "starting Ray", at_once=True):
        if address:
            _check_address(address)
        elif "ray" not in sys.modules:  # which reads this when it is imported
            os.environ[_STAY_HERE] = "0"
            # Where this process is killed, Ray's helpers would look for their cluster for minutes.
            os.environ.setdefault(_GIVES_UP, "20")
            # No other program of this machine may use it, and no file of the user's home is needed.
            os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"] = "token", secrets.token_hex(32)
        with interrupts_held():
            atexit.register(_delete_folders)  # before Ray registers what writes there last
            import ray

        if not ray.is_initialized():
            _silence()
            with _terminated_as_interrupted(), _nothing_said():
                if address:
                    _join(ray, address)
                else:
                    _start(ray, workers)
            _leave_in_time(ray)
    return ray


def _leave_in_time(ray: Any) -> None:
    """Leave the cluster when this process ends, and without its leave where a node that hangs does not give it."""
    wanted, left = threading.Event(), threading.Event()

    def leave() -> None:
        wanted.wait()
        ray.shutdown()
        left.set()

    # Now: none can be started by a process that ends.
    threading.Thread(target=leave, daemon=True).start()

    @atexit.register  # and so before Ray's own
    def wait() -> None:
        wanted.set()
        if not left.wait(_LEAVING):
            atexit.unregister(ray.shutdown)
            print(
                "warning: this machine's node of the Ray cluster does not answer; its leave to go was not waited for",
                file=sys.stderr,
            )


class Lifeline:
    """Waits for work, and sees meanwhile whether the cluster is still there.

    Ray ends this process without a word some while after its node or the head is gone.

    Args:
        ray: the module, connected.
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        context = ray.get_runtime_context()
        own = next(node for node in ray.nodes() if node["NodeID"] == context.get_node_id())
        self._node = own["NodeManagerAddress"], own["NodeManagerPort"]
        host, _, port = context.gcs_address.rpartition(":")
        self._head = host.strip("[]"), int(port)
        # Sooner than Ray gives it up.
        self._patience = 0.75 * float(os.environ.get(_GIVES_UP, "60"))

    def first_done(self, references: Sequence[Any]) -> Any:
        """The first of some references to work that is done.

        Raises:
            MachineError: this machine's node is gone, or the head for long.
        """
        since: float | None = None
        while True:
            done, _ = self._ray.wait(references, num_returns=1, timeout=_LOOK)
            if done:
                return done[0]
            if isinstance(_refusal(self._node), ConnectionRefusedError):
                raise MachineError(f"this machine's node of the Ray cluster ended; {_THEN}")
            refusal = _refusal(self._head)
            if refusal is None:
                since = None
                continue
            since = since or time.monotonic()
            if time.monotonic() - since > self._patience:
                why = printable(refusal.strerror or said(refusal))
                raise MachineError(f"the head of the Ray cluster is gone ({why}); {_THEN}")


def _refusal(address: tuple[str, int]) -> OSError | None:
    """Why nobody can be reached at an address; None where somebody can."""
    try:
        socket.create_connection(address, _SECONDS).close()
    except OSError as error:
        return error
    return None


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does after Ray has started inside, and not what Ray has it do.

    A handler of the program that runs this stays.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # where Ray sets none
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(
            signal.SIGTERM, signal.default_int_handler if before in (signal.SIG_DFL, None) else before
        )


@contextmanager
def _nothing_said() -> Iterator[None]:
    """Keep what is written to stderr inside to nobody: Ray's compiled part says that it was told to say nothing."""
    with Path(os.devnull).open("w") as nobody:
        said_to = os.dup(2)
        os.dup2(nobody.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(said_to, 2)
            os.close(said_to)


def _join(ray: Any, address: str) -> None:
    try:
        ray.init(address=address, **_quiet())
    except Exception as error:  # whatever Ray says of what it meets
        ray.shutdown()
        lack = "something answers; is its version of Ray this one, and its token that of RAY_AUTH_TOKEN?"
        raise _no_cluster(address, f"{said(error)[:160]}: {lack}") from error


def _start(ray: Any, workers: int) -> None:
    try:
        ray.init(**_own(workers), **_quiet())
    except Exception as error:  # likewise; on a very busy machine, that half a minute was too short
        # Not tried again: what is left of a start that failed ends this process when it finds no cluster for a while.
        ray.shutdown()
        raise MachineError(
            f"Ray cannot be started here ({said(error)[:300]}); choose --engine torch, or name a cluster: RAY_ADDRESS"
        ) from error


def _silence() -> None:
    """Keep Ray from writing to our stdout and stderr; what went wrong comes as exceptions, and is in its own files."""
    from ray._private import worker

    worker._worker_logs_enabled = False
    logger = logging.getLogger("ray")
    logger.setLevel(logging.CRITICAL)
    logger.propagate = False


def _own(workers: int) -> dict[str, Any]:
    """How a cluster of our own is started."""
    base = tempfile.gettempdir()
    folder = tempfile.mkdtemp(prefix="nearid-ray-", dir=base if len(base) <= _LONGEST else "/tmp")
    _folders.append(folder)
    shared = Path("/dev/shm")
    free = shutil.disk_usage(shared).free if shared.is_dir() else _MOST_STORE
    return {
        "address": "local",
        "num_cpus": workers,
        "include_dashboard": False,
        "object_store_memory": max(_LEAST_STORE, min(_MOST_STORE, free // 2)),
        "_node_ip_address": "127.0.0.1",
        "_temp_dir": folder,
    }


_folders: list[str] = []


def _delete_folders() -> None:
    for folder in _folders:
        for _ in range(_TRIES):  # Ray's last processes end while this is done
            shutil.rmtree(folder, ignore_errors=True)
            if not Path(folder).exists():
                break
            time.sleep(0.1)


def _quiet() -> dict[str, Any]:
    from ray.job_config import JobConfig

    # As a job of a client, of which nodes do not search the current folder for code: it may hold anything.
    return {
        "log_to_driver": False,
        "configure_logging": False,
        "job_config": JobConfig(_client_job=True),
    }


def _check_address(address: str) -> None:
    """Refuse an address where nobody listens, sooner than Ray does.

    Raises:
        UsageError: nobody listens there, or it is of another kind.
    """
    if address in ("auto", "local"):
        return
    host, colon, port = address.rpartition(":")
    if "://" in address or not (colon and port.isdecimal() and int(port) < 65536):
        raise UsageError(
            f"RAY_ADDRESS: expected HOST:PORT of a cluster that this machine is a node of, found {printable(address)!r}"
        )
    host = host.strip("[]")
    try:
        _check_answers(host, int(port))
    except OSError as error:
        raise _no_cluster(address, error.strerror or said(error)) from error
    if host in ("localhost", "127.0.0.1"):
        try:
            _check_answers(_address_of_this_machine(), int(port))
        except OSError:  # Ray would look there, unless it is told so
            os.environ[_STAY_HERE] = "0"


def _check_answers(host: str, port: int) -> None:
    """Refuse what does not speak HTTP/2, as every Ray cluster does and Ray waits for, for minutes.

    Raises:
        OSError: nobody listens, or not so.
    """
    settings = b"\0\0\0\4\0\0\0\0\0"  # a frame of them, empty, with which both sides begin
    with socket.create_connection((host, port), _SECONDS) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
        if connection.recv(4)[3:] != settings[3:4]:
            raise OSError(errno.EPROTO, "something else answers")


def _address_of_this_machine() -> str:
    """By which others reach it, as Ray finds it; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unsent:
        try:
            unsent.connect(("8.8.8.8", 53))
        except OSError:
            return "127.0.0.1"
        return str(unsent.getsockname()[0])


def _no_cluster(address: str, why: str) -> UsageError:
    return UsageError(
        f"no Ray cluster at RAY_ADDRESS={printable(address)} ({printable(why)[:300]}); start one (ray start --head), "
        "this machine being a node of it, or unset RAY_ADDRESS for one of this machine's own"
    )
