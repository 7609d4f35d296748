"""A process that has imported nearid and forks a run of the command line for each job: thousands of runs in minutes.

Started with a folder of pictures and a list of commands to do there first, and with the shim in LD_PRELOAD. Reads jobs
from stdin and answers on stdout, a line of JSON each.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import tempfile
import threading
from contextlib import chdir, suppress
from pathlib import Path
from typing import Any

from tqdm import tqdm

from nearid_cli.cli.app import main

_LIMIT = 120  # seconds that a run may take on a busy machine; one that hangs is killed


def _run(job: dict[str, Any], shim: ctypes.CDLL | None, report: int) -> None:
    os.chdir(job["folder"])
    for stream, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(Path(job["streams"], name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), stream)
    if job.get("user"):
        os.setgroups([])
        os.setgid(job["user"])
        os.setuid(job["user"])
    os.umask(job.get("umask", 0o022))
    os.environ |= job.get("environment", {})
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.alarm(_LIMIT)
    if shim is not None and job.get("below"):
        log = -1
        if job.get("log"):
            log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        shim.shim_arm(job["below"].encode(), job["nth"], job["error"], log)
    try:
        code = main(job["arguments"])
    except KeyboardInterrupt:  # a second one, when the first is said: `python -m nearid_cli` does the same
        code = 130
    except BaseException as error:  # a run that ends so would show a traceback
        print(f"Traceback: {error!r}", file=sys.stderr)
        code = 99
    sys.stdout.flush()
    sys.stderr.flush()
    seen = shim.shim_seen() if shim is not None else 0
    os.write(report, json.dumps(seen).encode())
    os._exit(code)


def serve() -> None:
    """Do the jobs. Those without `wait` go on beside the next; `{"wait": pid}` answers for one of them."""
    shim = ctypes.CDLL(os.environ["LD_PRELOAD"]) if os.environ.get("LD_PRELOAD") else None
    os.environ.pop("LD_PRELOAD", None)
    # All forks share tqdm's own lock: a run that is killed while it draws would leave it taken for the next.
    tqdm.set_lock(threading.RLock())
    tqdm.monitor_interval = 0  # no thread of it, which a fork would not have
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NEARID_CACHE"] = f"{folder}/cache"
        formats = ("json", "html", "csv", "parquet", "md", "tex")
        outputs = [word for name in formats for word in ("-o", f"{folder}/a.{name}")]
        for arguments in (
            ["score", "refs", "gens", "-m", "hog", *outputs],
            ["cache", "verify"],
            *json.loads(sys.argv[2]),
        ):
            with chdir(sys.argv[1]):
                assert main(arguments) == 0, arguments
    reports: dict[int, tuple[int, str]] = {}
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        if "wait" not in job:
            streams = tempfile.mkdtemp()
            Path(streams).chmod(0o777)
            for name in ("out", "err"):
                Path(streams, name).touch()
                Path(streams, name).chmod(0o666)
            reading, report = os.pipe()
            pid = os.fork()
            if pid == 0:
                with suppress(KeyboardInterrupt):  # before it has begun, or when it is over
                    _run(job | {"streams": streams}, shim, report)
                os._exit(130)
            os.close(report)
            reports[pid] = reading, streams
            print(json.dumps(pid), file=answers, flush=True)
            continue
        pid = job["wait"]
        reading, streams = reports.pop(pid)
        seen = os.read(reading, 64)
        os.close(reading)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        told = {name: Path(streams, name).read_text(errors="replace") for name in ("out", "err")}
        answer = {"code": code, "seen": json.loads(seen) if seen else None, **told}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve()
