"""`nearid score --metric judge=MODEL` against a real server: what is asked, kept, counted and said."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import nearid_cli
from tests.commandline import Finished, Nearid

from .endpoint import KEY, Answer, Asked, JudgeServer, Serve, fails, says, scores

PAIRS = 2 * 2 + 3 * 1  # generations with references: cat has 2 references and 2 generations, cup 1 and 3
AMONG = 2  # references with each other, both ways


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """References of levels 20 and above and generations below, each with another level."""
    levels = {
        "refs/cat/0": 20,
        "refs/cat/1": 21,
        "refs/cup/0": 22,
        "gens/cat/0": 0,
        "gens/cat/1": 1,
        "gens/cup/0": 5,
        "gens/cup/1": 6,
        "gens/cup/2": 7,
    }
    for name, level in levels.items():
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        # A frame of noise, or all would be one picture to a perceptual hash.
        image = Image.effect_noise((64, 64), 60).convert("RGB")
        image.paste((10 * level,) * 3, (16, 16, 48, 48))
        image.save(path)
    return tmp_path


@pytest.fixture
def judged(nearid: Nearid, pictures: Path) -> Callable[..., Finished]:
    """Score the pictures by a server."""

    def run(server: JudgeServer, *more: str) -> Finished:
        return nearid(
            *("score", "refs", "gens", "--metric", "judge=m", "--judge-url", server.url, "--format", "json"),
            *more,
        )

    return run


def by_levels(asked: Asked) -> Answer:
    """A score that tells both pictures: 0.1 for each level of the generation, 0.02 more with the second reference."""
    reference, generation = asked.levels
    return scores(9) if generation >= 20 else scores(generation + (0.2 if reference == 21 else 0.0))


def test_it_is_a_metric_like_others(judged: Callable[..., Finished], serve: Serve) -> None:
    server = serve(by_levels)
    cold = judged(server)
    assert cold.code == 0, cold.err
    assert len(server.asked) == PAIRS + AMONG
    result = json.loads(cold.out)
    assert [image["scores"]["judge"] for image in result["images"]] == pytest.approx(
        [0.01, 0.11, 0.5, 0.6, 0.7]
    )
    cat, cup = result["subjects"]
    assert (cat["scores"]["judge"]["ceiling"], cup["scores"]["judge"]["ceiling"]) == (
        pytest.approx(0.9),
        None,
    )
    assert result["aggregate"]["judge"]["score"] == pytest.approx((0.06 + 0.6) / 2)
    assert result["aggregate"]["judge"]["floor"] is None
    (metric,) = result["metrics"]
    assert (metric["checkpoint"], metric["kind"], metric["range"]) == ("m", "pairwise", [0.0, 1.0])
    assert "9,000 tokens read and 180 tokens written" in cold.err
    warm = judged(server)
    assert len(server.asked) == PAIRS + AMONG
    assert {**json.loads(warm.out), "created": ""} == {**result, "created": ""}


def misbehaves(asked: Asked) -> Answer:
    """Badly about some generations, in ways that pass and in ways that do not."""
    reference, generation = asked.levels
    if generation == 0 and reference == 20:
        return says("I do not compare cats.")  # the other reference has a score
    if generation == 1:
        return says('{"score": 1')
    if generation == 5:
        return fails(429, headers={"Retry-After": "0"}) if asked.again == 0 else scores(5)
    if generation == 6:
        return fails(500) if asked.again == 0 else says('Sure! ```json\n{"score": 6,}\n```')
    return scores(11) if generation == 7 else by_levels(asked)


def test_what_has_no_score_is_null_with_a_reason_and_asked_once(
    judged: Callable[..., Finished], serve: Serve, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEARID_JUDGE_KEY", KEY)
    server = serve(misbehaves)
    ran = judged(server, "--judge-max-failures", "0.5", "--judge-log", "log.jsonl")
    assert ran.code == 0, ran.err
    assert len(server.asked) == PAIRS + AMONG + 2
    result = json.loads(ran.out)
    assert [image["scores"]["judge"] for image in result["images"]] == [
        pytest.approx(0.02),
        None,
        0.5,
        0.6,
        None,
    ]
    assert [image.get("reasons") for image in result["images"]] == [
        None,
        {"judge": "unreadable answer (truncated)"},
        None,
        None,
        {"judge": "unreadable answer (score outside 0 to 10)"},
    ]
    assert result["aggregate"]["judge"]["missing"] == 2
    assert "judge: 4 of 9 pairs without a score: 2 x unreadable answer (truncated), 1 x " in ran.err
    lines = [json.loads(line) for line in (pictures / "log.jsonl").read_text().splitlines()]
    assert len(lines) == PAIRS + AMONG
    (refused,) = [line for line in lines if line["answer"] == "I do not compare cats."]
    assert Path(refused["generation"]["picture"]) == Path("gens/cat/0.png")
    assert Path(refused["reference"]["picture"]) == Path("refs/cat/0.png")

    before = len(server.asked)
    again = judged(server, "--judge-max-failures", "0.5")
    assert {**json.loads(again.out), "created": ""} == {**result, "created": ""}
    assert len(server.asked) == before
    strict = judged(server)
    assert strict.error.startswith("judge: 4 of 9 pairs without a score")
    assert len(server.asked) == before

    assert {asked.headers["Authorization"] for asked in server.asked} == {f"Bearer {KEY}"}
    assert KEY not in ran.out + ran.err + again.err + strict.err
    cache = Path(os.environ["NEARID_CACHE"])
    kept = [path for path in [*pictures.rglob("*"), *cache.rglob("*")] if path.is_file()]
    assert any(path.is_relative_to(cache) for path in kept)
    assert [path for path in kept if KEY.encode() in path.read_bytes()] == []


def test_too_many_without_a_score_stop_it_with_the_others_kept(
    judged: Callable[..., Finished], serve: Serve
) -> None:
    server = serve(misbehaves)
    stopped = judged(server)
    assert "more than --judge-max-failures 0.05 allows. What came is kept." in stopped.error
    assert stopped.details == []
    first = [(asked.levels) for asked in server.asked]
    server.behaviour = by_levels
    before = len(server.asked)
    assert judged(server, "--judge-max-failures", "1").code == 0
    assert len(server.asked) - before <= PAIRS + AMONG - 3
    answered = {levels for levels in first if levels[1] in (0, 1, 7) or levels[1] >= 20}
    assert answered & {asked.levels for asked in server.asked[before:]} == set()


def test_what_was_not_answered_is_asked_again(judged: Callable[..., Finished], serve: Serve) -> None:
    def behave(asked: Asked) -> Answer:
        return fails(429, "later", {"Retry-After": "3600"}) if asked.levels[1] in (5, 6) else by_levels(asked)

    server = serve(behave)
    ran = judged(server, "--judge-max-failures", "0.5")
    assert "2 of 9 pairs without a score: 2 x no answer (HTTP 429)" in ran.err
    reasons = [image.get("reasons") for image in json.loads(ran.out)["images"]]
    assert reasons == [None, None, {"judge": "no answer (HTTP 429)"}, {"judge": "no answer (HTTP 429)"}, None]
    server.behaviour, before = by_levels, len(server.asked)
    assert judged(server).code == 0
    assert sorted(asked.levels[1] for asked in server.asked[before:]) == [5, 6]


def test_an_interrupt_keeps_what_came(pictures: Path, serve: Serve, process: Callable[..., Any]) -> None:
    release = threading.Event()

    def behave(asked: Asked) -> Answer:
        if asked.levels[1] == 0 and asked.again == 0:
            release.wait(600)
        return by_levels(asked)

    server = serve(behave)
    command = (
        "score",
        "refs",
        "gens",
        "--metric",
        "judge=m",
        "--judge-url",
        server.url,
        "--judge-parallel",
        "3",
    )
    running = process(*command)
    while len(server.asked) < PAIRS + AMONG:
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=300)
    release.set()
    assert running.returncode == 130, err
    held = [asked.levels for asked in server.asked if asked.levels[1] == 0]
    before = len(server.asked)
    again = process(*command)
    _, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    repeated = [asked.levels for asked in server.asked[before:]]
    assert len(set(repeated)) == len(repeated)
    assert set(held) <= set(repeated)
    assert len(repeated) <= len(held) + 2  # whose answers were under way to the two that were not held up


def test_a_wrong_key_is_one_line(
    judged: Callable[..., Finished], serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEARID_JUDGE_KEY", KEY)
    server = serve(lambda asked: fails(401, f"wrong key {KEY}"))
    ran = judged(server, "--judge-parallel", "1")
    assert ran.error == (
        f"judge: {server.url} answers 401 (wrong key ***): it does not take the key of NEARID_JUDGE_KEY"
    )
    assert len(server.asked) == 1
    command = ("--debug", "score", "refs", "gens", "--metric", "judge=m", "--judge-url", server.url)
    debugged = subprocess.run([sys.executable, "-m", "nearid_cli", *command], capture_output=True, text=True)
    assert debugged.returncode != 0
    assert "Traceback" in debugged.stderr
    assert KEY not in debugged.stdout + debugged.stderr


def test_what_is_missing_is_told_before_anything_is_sent(
    judged: Callable[..., Finished], nearid: Nearid, serve: Serve
) -> None:
    server = serve(by_levels)
    assert nearid("score", "refs", "gens", "--metric", "judge", "--judge-url", server.url).error.startswith(
        "metric judge: expected the model's name at the endpoint, --metric judge=MODEL"
    )
    assert nearid("score", "refs", "gens", "--metric", "judge=m").error.startswith(
        "metric judge: expected --judge-url"
    )
    assert judged(server, "--judge-template", "none.txt").error == (
        "--judge-template none.txt: cannot be read: No such file or directory"
    )
    assert server.asked == []


def test_an_address_is_not_needed_where_all_is_known(
    judged: Callable[..., Finished], nearid: Nearid, serve: Serve
) -> None:
    judged(serve(by_levels))
    assert nearid("score", "refs", "gens", "--metric", "judge=m").code == 0


def test_another_model_or_rubric_is_asked_anew_and_another_address_is_not(
    judged: Callable[..., Finished], nearid: Nearid, serve: Serve, pictures: Path
) -> None:
    server, other = serve(by_levels), serve(by_levels)
    judged(server)
    judged(other)
    assert other.asked == []
    (pictures / "rubric.txt").write_text("Are they one? JSON with a score.")
    judged(other, "--judge-template", "rubric.txt")
    assert len(other.asked) == PAIRS + AMONG
    nearid("score", "refs", "gens", "--metric", "judge=n", "--judge-url", other.url)
    assert len(other.asked) == 2 * (PAIRS + AMONG)


def test_settings_of_the_configuration_and_two_judges(nearid: Nearid, serve: Serve, pictures: Path) -> None:
    server = serve(by_levels)
    (pictures / "nearid.toml").write_text(
        f"""
        judge-url = "{server.url}"
        judge-max-failures = 1
        judge-log = "answers.jsonl"

        [metrics.first]
        plugin = "nearid_cli.measures.judge:Judge"
        checkpoint = "a"

        [metrics.second]
        plugin = "nearid_cli.measures.judge:Judge"
        checkpoint = "b"
        """
    )
    ran = nearid("score", "refs", "gens", "--metric", "first,second", "--format", "json")
    assert ran.code == 0, ran.err
    assert [metric["checkpoint"] for metric in json.loads(ran.out)["metrics"]] == ["a", "b"]
    assert {asked.body["model"] for asked in server.asked} == {"a", "b"}
    assert (pictures / "answers.jsonl").exists()


def test_from_python(serve: Serve, pictures: Path) -> None:
    server = serve(by_levels)
    result = nearid_cli.score(pictures / "refs", pictures / "gens", metrics=["judge=m"], judge_url=server.url)
    assert result.aggregate["judge"].score == pytest.approx(0.33)


def test_a_bar_shows_what_was_spent_where_bars_are_asked_for(
    serve: Serve, pictures: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server = serve(lambda asked: says('{"score": 5}', delay=0.15))
    for model, progress in (("a", True), ("b", False)):
        nearid_cli.score(
            pictures / "refs",
            pictures / "gens",
            metrics=[f"judge={model}"],
            judge_url=server.url,
            judge_parallel=1,
            progress=progress,
        )
        err = capfd.readouterr().err
        assert bool(re.search(r"judge: .*pair/s, [1-9],\d\d0 tokens\]", err)) is progress, err
        assert progress or err == ""


def test_methods_share_what_references_are_to_each_other(
    nearid: Nearid, serve: Serve, pictures: Path
) -> None:
    (pictures / "gens").rename(pictures / "ours")
    for path in sorted((pictures / "ours").rglob("*.png")):
        theirs = pictures / "theirs" / path.relative_to(pictures / "ours")
        theirs.parent.mkdir(parents=True, exist_ok=True)
        Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(theirs)
    server = serve(by_levels)
    ran = nearid(
        "compare", "ours", "theirs", "--refs", "refs", "--metric", "judge=m", "--judge-url", server.url
    )
    assert ran.code == 0, ran.err
    assert len(server.asked) == 2 * PAIRS + AMONG


def test_a_warm_run_imports_neither_torch_nor_a_client(
    judged: Callable[..., Finished], serve: Serve, pictures: Path
) -> None:
    judged(serve(by_levels))
    code = (
        "import sys; from nearid_cli.cli.app import main; "
        "assert main(['score', 'refs', 'gens', '--metric', 'judge=m']) == 0; "
        "print([name for name in ('torch', 'transformers', 'httpx', 'httpx2') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=pictures)
    assert ran.stdout.splitlines()[-1] == "[]", ran.stderr


def test_the_human_benchmark_by_a_judge(nearid: Nearid, serve: Serve, tmp_path: Path) -> None:
    for prompt in range(3):
        for side, level in (("src_image", 20), ("tgt_image", 2 * prompt)):
            path = tmp_path / "samples" / "emu2_seed_42" / side / "object_20_magic_cube" / f"{prompt}_0.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32), (10 * level,) * 3).save(path)
    server = serve(by_levels)
    command = (
        "bench",
        "dreambench",
        "--samples",
        "samples",
        "-m",
        "judge=m",
        "--judge-url",
        server.url,
        "-o",
    )
    ran = nearid(*command, "out")
    assert ran.code == 0, ran.err
    found = json.loads((tmp_path / "out" / "scores" / "judge" / "emu2.json").read_text())
    assert list(found.values()) == pytest.approx([0, 20, 40])
    assert [asked.levels for asked in sorted(server.asked, key=lambda asked: asked.levels)] == [
        (20, 0),
        (20, 2),
        (20, 4),
    ]
    assert nearid(*command, "again").code == 0
    assert len(server.asked) == 3
