"""The metric `judge` against a real server that behaves and misbehaves."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import resource
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from nearid_cli.errors import InputError, ModelError, NearIDError, UsageError
from nearid_cli.measures.judge import Judge
from nearid_cli.measures.judge.address import check_url
from nearid_cli.measures.judge.answers import UnreadableAnswerError, read_score
from nearid_cli.measures.judge.client import Endpoint, Retries
from nearid_cli.measures.judge.metric import SentPicture
from nearid_cli.measures.judge.record import AnswerLog
from nearid_cli.measures.judge.replies import NoReplyError
from nearid_cli.measures.judge.rubric import own_rubric, read_rubric
from nearid_cli.plugins import NoScore

from .endpoint import KEY, Answer, Asked, JudgeServer, Serve, fails, says, scores

QUICK = Retries(attempts=4, first=0.01, longest=2.0)


def made(server: JudgeServer, **settings: Any) -> Judge:
    """A judge that is loaded; it gives up only if all pairs fail, and soon, unless the settings say otherwise."""
    retries = settings.pop("retries", QUICK)
    judge = Judge("m", **{"judge_url": server.url, "judge_max_failures": 1.0, **settings})
    judge.retries = retries
    judge.load("cpu")
    return judge


def picture(judge: Judge, level: int) -> SentPicture:
    """A picture whose `Asked.levels` is this."""
    return judge.features(Image.new("RGB", (32, 32), (10 * level,) * 3))


def pairs(judge: Judge, number: int) -> list[tuple[SentPicture, SentPicture]]:
    reference = picture(judge, 25)
    return [(reference, picture(judge, level)) for level in range(number)]


def run(judge: Judge, number: int) -> tuple[list[float | NoScore], NearIDError | None]:
    """The scores of pairs of which the generations have levels 0, 1, ..., and what stopped the run."""
    asked = pairs(judge, number)
    judge.begin([], [(f"refs/{index}", f"gens/{index}") for index in range(number)])
    found: list[float | NoScore] = []
    try:
        for score in judge.scores(asked):
            found.append(score)
    except NearIDError as error:
        return found, error
    return found, None


def reason(score: float | NoScore) -> tuple[str, bool]:
    assert isinstance(score, NoScore)
    return score.reason, score.lasting


# --- what is sent


def test_a_request_shows_the_reference_first_and_asks_for_json(serve: Serve) -> None:
    server = serve(lambda asked: scores(8))
    judge = made(server)
    assert judge.compare(picture(judge, 20), picture(judge, 5)) == 0.8
    (asked,) = server.asked
    assert asked.levels == (20, 5)
    assert asked.body["model"] == "m"
    assert asked.body["temperature"] == 0
    assert asked.body["response_format"]["type"] == "json_schema"
    assert "Authorization" not in asked.headers
    (message,) = asked.body["messages"]
    assert [part["type"] for part in message["content"]] == ["text", "text", "image_url", "text", "image_url"]
    assert message["content"][0]["text"] == own_rubric().text
    assert message["content"][2]["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_pictures_are_sent_small_and_without_what_else_their_files_hold() -> None:
    judge = Judge("m")
    said = PngImagePlugin.PngInfo()
    said.add_text("comment", "taken at home")
    file = io.BytesIO()
    Image.effect_noise((3000, 1500), 80).convert("RGB").save(file, "PNG", pnginfo=said, dpi=(300, 300))
    image = Image.open(io.BytesIO(file.getvalue()))
    image.load()
    image.info |= {
        "comment": b"taken at home",
        "icc_profile": b"a profile",
        "exif": b"Exif\0\0 where it was taken",
    }
    sent = Image.open(io.BytesIO(judge.features(image).jpeg))
    assert (sent.format, sent.mode, sent.size) == ("JPEG", "RGB", (1024, 512))
    assert set(sent.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert judge.features(Image.new("RGB", (5000, 1))).jpeg  # no side becomes nothing
    small = Image.open(io.BytesIO(judge.features(Image.new("RGB", (40, 30))).jpeg))
    assert small.size == (40, 30)
    assert "1024" in judge.preprocessing


@pytest.mark.parametrize("name", ["NEARID_JUDGE_KEY", "OPENAI_API_KEY"])
def test_the_key_is_of_the_environment(serve: Serve, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    server = serve(lambda asked: scores(8))
    monkeypatch.setenv(name, f" {KEY}\n")
    assert run(made(server), 1) == ([0.8], None)
    assert server.asked[0].headers["Authorization"] == f"Bearer {KEY}"
    if name == "OPENAI_API_KEY":
        monkeypatch.setenv("NEARID_JUDGE_KEY", "another")
        run(made(server), 1)
        assert server.asked[1].headers["Authorization"] == "Bearer another"


def test_the_key_is_seen_nowhere(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NEARID_JUDGE_KEY", KEY)
    caplog.set_level(logging.DEBUG)

    def behave(asked: Asked) -> Answer:
        token = asked.headers["Authorization"]
        if asked.levels[1] == 0:
            return says(f"You sent {token}. I cannot help.")
        if asked.levels[1] == 1:
            return says(json.dumps({"score": 3, "reason": token}))
        if asked.levels[1] == 2:
            return fails(503, f"busy with {token}")
        return fails(401, f"wrong key: {token}")

    log = tmp_path / "log.jsonl"
    judge = made(serve(behave), judge_log=log)
    found, error = run(judge, 4)
    assert error is not None
    assert KEY not in "".join(traceback.format_exception(error))
    assert KEY not in repr(found) + caplog.text + log.read_text()
    assert KEY not in judge.version + judge.protocol + judge.preprocessing + judge.checkpoint
    assert "wrong key: Bearer ***" in str(error)
    assert "NEARID_JUDGE_KEY" in str(error)


def test_a_key_that_cannot_be_sent(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ключ")
    with pytest.raises(UsageError, match="the key in OPENAI_API_KEY has characters") as raised:
        made(serve(lambda asked: scores(1)))
    assert "ключ" not in str(raised.value)


# --- what may be answered


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"score": 8, "reason": "the handle"}', 8),
        ('  {"Score": 7.5}\n', 7.5),
        ('```json\n{"score": 8}\n```', 8),
        ('Here is my answer:\n\n{"score": 10, "reason": "a {brace} in it"}\n\nIs there more?', 10),
        ('{"score": 8, "reason": "it ends in a comma",}', 8),
        ('{"score": "8"}', 8),
        ('{"score": "8/10"}', 8),
        ('{"result": {"score": 4}}', 4),
        ('[{"score": 4, "reason": ""}]', 4),
        ('{"score": 6, "reason": "an "unescaped" quote"}', 6),
        ("{'score': 6, 'reason': 'quotes of Python'}", 6),
        ('{"score": 6, "reason": "it was cut sho', 6),
        ('{"score": 6,', 6),
        ("<think>Perhaps {\"score\": 2}?</think>{\"score\": 9}", 9),
        ('Perhaps {"score": 2}?</think>{"score": 9}', 9),  # its template had begun the thought
        (json.dumps(json.dumps({"score": 6, "reason": "a string of JSON"})), 6),
        ("7", 7),
        ("7.", 7),
        ("**7/10**", 7),
        ("Score: 8\nThe handle differs.", 8),
        ("**Score:** 8/10. The handle differs.", 8),
        ("Score: 8 out of 10", 8),
        ('{"score": 0}', 0),
    ],
)  # fmt: skip
def test_a_score_is_read(text: str, score: float) -> None:
    assert read_score(text, 0, 10) == score


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("I cannot help with people.", "no score in it"),
        ("They are alike, I give it a 7 for sure", "no score in it"),
        ('{"reason": "alike"}', "no score in it"),
        ('{"score": 1', "truncated"),  # of a 10
        ('{"score": ', "truncated"),
        ('{"sco', "truncated"),
        ("<think>The handle", "truncated"),
        ('{"score": 2}</think>', "empty"),
        ('{"score": 2}</think><think>{"score": 3}', "truncated"),
        ('{"score": 7,5}', "no score in it"),  # a decimal comma, or a 7
        ("Score: 7,5", "no score in it"),
        ("Score: 7-8", "no score in it"),
        ("Score: 80%", "no score in it"),
        ("Score: 4/5", "no score in it"),
        ("8/100", "no score in it"),
        ('{"score": 11}', "score outside 0 to 10"),
        ('{"score": -1}', "score outside 0 to 10"),
        ('{"score": 1e400}', "score outside 0 to 10"),
        ('{"score": 85, "reason": "in percent"}', "score outside 0 to 10"),
        ('{"score": null}', "a score that is no number"),
        ('{"score": true}', "a score that is no number"),
        ('{"score": NaN}', "a score that is no number"),
        ('{"score": "high"}', "a score that is no number"),
        ('{"score": [8]}', "a score that is no number"),
        ('{"score": 3, "score": 8}', "several scores"),
        ('An example is {"score": 0}. Mine: {"score": 8}', "several scores"),
        ("Score: 3. No, score: 8.", "several scores"),
        ("[" * 3000 + "{" * 3000, "truncated"),
        ('{"a":' * 3000, "truncated"),
        ("x" * 4_000_000, "far too long"),  # hours, were the time to grow with the square
    ],
)
def test_what_is_no_score_for_certain(text: str, why: str) -> None:
    with pytest.raises(UnreadableAnswerError, match=f"^{why}$"):
        read_score(text, 0, 10)


@pytest.mark.parametrize("text", ["1", "Score: 1", '{"score": 1', "Score: 1."])
def test_a_number_that_may_have_been_cut_is_none(text: str) -> None:
    with pytest.raises(UnreadableAnswerError, match="truncated"):
        read_score(text, 0, 10, cut=True)
    assert read_score('{"score": 1, "reason": "it we', 0, 10, cut=True) == 1


def test_answers_that_cannot_be_read_have_no_score_and_are_kept(
    serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answers = [
        scores(8),
        says("As a model, I would rather not."),
        says(None, refusal="I can't assist with that."),
        says("", finish="content_filter"),
        says('{"score": 1', finish="length"),
        scores(11),
        says(None),
        says("\ud800 is half a character"),
        fails(400, "rejected by the content filter", code="content_filter"),
        scores(0),
    ]
    server = serve(lambda asked: answers[asked.levels[1]])
    log = tmp_path / "logs" / "answers.jsonl"
    found, error = run(made(server, judge_log=log), len(answers))
    assert error is None
    assert found[0] == 0.8
    assert found[9] == 0.0
    assert [reason(score) for score in found[1:9]] == [
        ("unreadable answer (no score in it)", True),
        ("unreadable answer (refused)", True),
        ("unreadable answer (refused)", True),
        ("unreadable answer (truncated)", True),
        ("unreadable answer (score outside 0 to 10)", True),
        ("unreadable answer (empty)", True),
        ("unreadable answer (no score in it)", True),
        ("unreadable answer (refused)", True),
    ]
    assert len(server.asked) == len(answers)  # nothing of this is asked again
    assert "judge: 8 of 10 pairs without a score: 3 x unreadable answer (refused), 2 x " in caplog.text
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    lines.sort(key=lambda line: line["generation"]["picture"])
    assert [line["generation"]["picture"] for line in lines] == [f"gens/{index}" for index in range(10)]
    assert [line["score"] for line in lines] == [0.8, *[None] * 8, 0.0]
    assert lines[1]["answer"] == "As a model, I would rather not."
    assert lines[2]["answer"] == "I can't assist with that."
    assert lines[2]["problem"] == "unreadable answer (refused)"
    assert lines[0]["tokens"] == {"read": 1000, "written": 20}
    assert {line["model"] for line in lines} == {"m"}
    assert {line["rubric"] for line in lines} == {own_rubric().digest}
    assert len({line["reference"]["sent"] for line in lines}) == 1
    assert len({line["generation"]["sent"] for line in lines}) == 10


def test_a_number_at_which_the_model_was_stopped_is_none(serve: Serve) -> None:
    found, _ = run(made(serve(lambda asked: says("1", finish="length"))), 1)
    assert reason(found[0]) == ("unreadable answer (truncated)", True)


@pytest.mark.parametrize("usage", [None, [], "many", {}, {"prompt_tokens": "3"}, {"prompt_tokens": -3}])
def test_an_endpoint_that_does_not_say_what_it_costs(serve: Serve, usage: object) -> None:
    choice = {"message": {"content": '{"score": 5}'}}
    judge = made(serve(lambda asked: Answer(body=json.dumps({"choices": [choice], "usage": usage}))))
    assert run(judge, 1) == ([0.5], None)
    assert judge.spent == ""


def test_an_answer_in_parts(serve: Serve) -> None:
    parts = [{"type": "text", "text": '{"score"'}, {"type": "text", "text": ": 5}"}, "?"]
    choice = {"message": {"content": parts}, "finish_reason": "stop"}
    assert run(made(serve(lambda asked: Answer(body=json.dumps({"choices": [choice]})))), 1) == ([0.5], None)


def test_the_log_is_added_to(serve: Serve, tmp_path: Path) -> None:
    server = serve(lambda asked: scores(8))
    for _ in range(2):
        run(made(server, judge_log=tmp_path / "log.jsonl"), 3)
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 6


def test_a_log_that_cannot_be_written_stops_before_anything_is_sent(serve: Serve, tmp_path: Path) -> None:
    server = serve(lambda asked: scores(8))
    with pytest.raises(InputError, match=r"^--judge-log .*: cannot be written: Is a directory$"):
        made(server, judge_log=tmp_path)
    assert server.asked == []


def test_a_line_that_a_full_disk_takes_by_half_is_an_error_and_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = AnswerLog(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(InputError, match=r"cannot be written: File too large$"):
            log.add(score=0.5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    AnswerLog(path).add(score=0.25)
    half, line = path.read_text().splitlines()
    assert (len(half), json.loads(line)["score"]) == (10, 0.25)


def test_no_log_is_written_into_a_pipe_that_nobody_reads(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"^--judge-log .*: cannot be written: it is not a regular file$"):
        AnswerLog(tmp_path / "pipe")


def test_what_was_spent_is_said(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    judge = made(serve(lambda asked: scores(8)))
    assert judge.spent == ""
    run(judge, 3)
    assert judge.spent == "3,060 tokens"
    assert "judge: 3,000 tokens read and 60 tokens written" in caplog.text


# --- what may go wrong on the way


@pytest.mark.parametrize(
    "trouble",
    [
        fails(429, "slow down"),
        fails(429, "slow down", {"Retry-After": "0.05"}),
        fails(429, "slow down", {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        fails(429, "slow down", {"Retry-After": "soon"}),
        fails(500),
        fails(503, "overloaded"),
        fails(408),
        Answer(reset=True),
        Answer(body='{"choices": [{"mess', announced=500),  # the connection ends in the middle
        Answer(body='{"choices": [{"mess'),
        Answer(body="<html>log in first</html>"),
        Answer(body='{"choices": []}'),
        Answer(body='{"error": {"message": "behind me is nobody", "code": 502}}'),
        scores(2, delay=8),
    ],
)
def test_trouble_that_passes_is_waited_for(serve: Serve, trouble: Answer) -> None:
    times, patience = (1, 6.0) if trouble.delay else (2, 60.0)
    server = serve(lambda asked: trouble if asked.again < times else scores(asked.levels[1]))
    assert run(made(server, judge_timeout=patience), 2) == ([0.0, 0.1], None)
    assert len(server.asked) == 2 * (times + 1)


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (fails(429, "slow down"), "no answer (HTTP 429)"),
        (fails(500, "something broke"), "no answer (HTTP 500)"),
        (Answer(reset=True), "no answer (Connection reset by peer)"),
        (Answer(body="{"), "no answer (not an answer of such an endpoint)"),
        pytest.param(scores(2, delay=8), "no answer (timed out)", marks=pytest.mark.torture),
    ],
)
def test_trouble_that_stays_is_no_score_and_not_kept(
    serve: Serve, trouble: Answer, why: str, tmp_path: Path
) -> None:
    server = serve(lambda asked: trouble if asked.levels[1] == 2 else scores(asked.levels[1]))
    log = tmp_path / "log"
    twice = Retries(attempts=2, first=0.01)
    patience = 6.0 if trouble.delay else 60.0
    found, error = run(made(server, judge_timeout=patience, judge_log=log, retries=twice), 4)
    assert error is None
    assert [found[0], found[1], found[3]] == [0.0, 0.1, 0.3]
    assert reason(found[2]) == (why, False)
    assert len(server.asked) == 3 + twice.attempts
    (line,) = [line for line in map(json.loads, log.read_text().splitlines()) if line["problem"]]
    assert line["answer"] is None
    assert line["problem"].startswith(why)


def test_an_answer_that_only_drips_is_given_up(serve: Serve) -> None:

    server = serve(lambda asked: scores(1))
    handler = server.RequestHandlerClass

    def drip(self: Any, answer: Answer) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(600):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.2)

    server.RequestHandlerClass = type("Drips", (handler,), {"_send": drip})  # type: ignore[misc]
    begun = time.monotonic()
    found, _ = run(made(server, judge_timeout=1.0, retries=Retries(attempts=1)), 1)
    assert reason(found[0]) == ("no answer (timed out)", False)
    assert time.monotonic() - begun < 60


def test_it_waits_as_long_as_the_endpoint_asks(serve: Serve) -> None:
    times: list[float] = []

    def behave(asked: Asked) -> Answer:
        times.append(time.monotonic())
        return fails(429, headers={"Retry-After": "1"}) if asked.again == 0 else scores(5)

    assert run(made(serve(behave)), 1) == ([0.5], None)
    assert times[1] - times[0] >= 1.0


def test_it_does_not_wait_for_an_hour(serve: Serve) -> None:
    server = serve(lambda asked: fails(429, headers={"Retry-After": "3600"}))
    begun = time.monotonic()
    found, _ = run(made(server), 1)
    assert reason(found[0]) == ("no answer (HTTP 429)", False)
    assert len(server.asked) == 1
    assert time.monotonic() - begun < 600


def test_pauses_double_and_are_random() -> None:
    retries = Retries(attempts=9, first=1.0, longest=20.0)
    for attempt, most in ((1, 1.0), (2, 2.0), (4, 8.0), (8, 20.0)):
        pauses = [retries.pause(attempt, None) for _ in range(200)]
        assert most / 2 <= min(pauses) < max(pauses) <= most
        assert len(set(pauses)) > 100
    assert retries.pause(1, 7.0) == 7.0


def test_one_that_has_gone_is_not_waited_for_pair_after_pair(serve: Serve) -> None:
    server = serve(lambda asked: fails(503) if asked.levels[1] >= 2 else scores(5))
    found, error = run(made(server, judge_parallel=1), 12)
    assert error is None
    assert [isinstance(score, NoScore) for score in found] == [False] * 2 + [True] * 10
    assert len(server.asked) == 2 + QUICK.attempts + 9


def test_one_that_is_back_is_waited_for_again(serve: Serve) -> None:
    def behave(asked: Asked) -> Answer:
        level = asked.levels[1]
        return fails(503) if level == 0 or (level == 2 and asked.again < 2) else scores(5)

    server = serve(behave)
    found, _ = run(made(server, judge_parallel=1), 3)
    assert [isinstance(score, NoScore) for score in found] == [True, False, False]
    assert len(server.asked) == QUICK.attempts + 1 + 3


# --- what will never be answered


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (fails(401, "no such key"), r"answers 401 \(no such key\): set NEARID_JUDGE_KEY to a key"),
        (fails(403), "answers 403: set NEARID_JUDGE_KEY"),
        (fails(404, "no route"), r"answers 404 \(no route\): expected --judge-url as far as /v1"),
        (fails(400, "picture too large"), r"answers 400 \(picture too large\)$"),
        (fails(429, "pay first", code="insufficient_quota"), "pay first.: what was paid for is used up"),
        (Answer(308, headers={"Location": "https://else.where/v1?token=secret"}), r"answers 308 \(https://else.where/v1\)"),
    ],
)  # fmt: skip
def test_what_waiting_does_not_mend_stops_at_once(serve: Serve, answer: Answer, message: str) -> None:
    server = serve(lambda asked: answer)
    found, error = run(made(server, judge_parallel=1), 10)
    assert isinstance(error, ModelError)
    assert "\n" not in str(error)
    assert str(error).startswith(f"judge: {server.url}")
    with pytest.raises(ModelError, match=message):
        raise error
    assert all(reason(score)[1] is False for score in found)
    formats = {"json_schema", "json_object", None} if answer.status == 400 else {"json_schema"}
    assert {(asked.body.get("response_format") or {}).get("type") for asked in server.asked} == formats
    assert len(server.asked) <= len(formats)


def test_a_model_that_is_not_there_is_told_with_those_that_are(serve: Serve) -> None:
    server = serve(lambda asked: fails(404, "model not found"))
    for models, words in ((["qwen", "llava"], "it has qwen, llava"), (["mm", "x"], "did you mean mm?")):
        server.models = models
        _, error = run(made(server), 3)
        assert str(error) == f"judge: {server.url} has no model m: {words}"


def test_nobody_is_there() -> None:
    server = JudgeServer(lambda asked: scores(1))
    server.server_close()
    judge = made(server)
    found, error = run(judge, 40)
    assert str(error) == f"judge: {server.url} cannot be reached: Connection refused; is it running?"
    assert all(isinstance(score, NoScore) and not score.lasting for score in found)


def test_who_is_stopped_by_another_thread_gives_no_reason_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    server = JudgeServer(lambda asked: scores(1))
    server.server_close()
    endpoint = Endpoint(server.url, "m", 5.0, QUICK)
    asked = []

    def stopped_in_between(*_: object) -> dict[str, object]:
        asked.append(1)
        if len(asked) == 3:  # the attempt that would say that nobody is there
            endpoint.stop()
        return {}

    monkeypatch.setattr(endpoint, "_body", stopped_in_between)
    with pytest.raises(NoReplyError, match="the run stopped"):
        endpoint.ask([])


def test_no_secure_connection(serve: Serve) -> None:
    server = serve(lambda asked: scores(1))
    _, error = run(made(server, judge_url=server.url.replace("http:", "https:")), 3)
    assert str(error).startswith("judge: no secure connection to https://127.0.0.1:")
    assert server.asked == []


def test_no_proxy_is_asked_for_what_is_on_this_machine(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server, proxy = serve(lambda asked: scores(5)), serve(lambda asked: scores(1))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
        assert run(made(server, judge_url=url), 1) == ([0.5], None)
    assert proxy.asked == []


def test_a_proxy_is_asked_for_others(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve(lambda asked: scores(1))
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_port}")
    assert run(made(proxy, judge_url="http://judge.example/v1"), 1) == ([0.1], None)


def test_a_key_in_the_open_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("NEARID_JUDGE_KEY", KEY)
    for url, warned in (
        ("http://judge.example/v1", True),
        ("http://127.0.0.1:1/v1", False),
        ("http://localhost/v1", False),
        ("https://judge.example/v1", False),
    ):
        caplog.clear()
        Judge("m", judge_url=url).load("cpu")
        assert ("without encryption" in caplog.text) is warned


# --- what an endpoint does not take


@pytest.mark.parametrize(
    ("taken", "refusal", "requests"),
    [
        ("json_object", fails(400, "response_format json_schema is not supported"), 4),
        ("json_object", fails(422, "Unprocessable"), 4),
        ("json_object", fails(500, "failed to parse grammar"), 4),
        (None, fails(400, "'response_format.type' must be 'text'"), 5),
        (None, fails(400), 5),
    ],
)
def test_a_form_of_answer_that_is_not_taken_is_not_asked_for_again(
    serve: Serve, taken: str | None, refusal: Answer, requests: int
) -> None:
    def behave(asked: Asked) -> Answer:
        form = (asked.body.get("response_format") or {}).get("type")
        return scores(asked.levels[1]) if form == taken else refusal

    server = serve(behave)
    assert run(made(server, judge_parallel=1), 3) == ([0.0, 0.1, 0.2], None)
    assert len(server.asked) == requests


def test_a_form_that_was_taken_is_not_given_up_for_another_complaint(serve: Serve) -> None:
    server = serve(lambda asked: scores(5) if asked.levels[1] < 3 else fails(400, "too bright"))
    found, error = run(made(server, judge_parallel=1), 5)
    assert found[:3] == [0.5] * 3
    assert str(error) == f"judge: {server.url} answers 400 (too bright)"
    assert {asked.body["response_format"]["type"] for asked in server.asked} == {"json_schema"}


def test_another_name_for_the_longest_answer(serve: Serve) -> None:
    message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    server = serve(lambda asked: fails(400, message) if "max_tokens" in asked.body else scores(5))
    assert run(made(server, judge_parallel=1), 2) == ([0.5, 0.5], None)
    assert [sorted(set(asked.body) - {"model", "messages", "temperature"}) for asked in server.asked] == [
        ["max_tokens", "response_format"],
        ["max_completion_tokens", "response_format"],
        ["max_completion_tokens", "response_format"],
    ]


# --- many pairs


def test_scores_are_in_order_and_as_many_requests_at_a_time_as_are_allowed(serve: Serve) -> None:
    server = serve(
        lambda asked: scores(asked.levels[1] % 10, delay=0.2 if asked.levels[1] % 5 == 0 else 0.02)
    )
    found, error = run(made(server, judge_parallel=3), 25)
    assert error is None
    assert found == [level % 10 / 10 for level in range(25)]
    assert server.busiest == 3


def test_pictures_are_made_no_further_ahead_than_needed(serve: Serve) -> None:
    server = serve(lambda asked: scores(5, delay=0.05))
    judge = made(server, judge_parallel=2)
    given = 0

    def endless() -> Iterator[tuple[SentPicture, SentPicture]]:
        nonlocal given
        while True:
            given += 1
            yield picture(judge, 0), picture(judge, 1)

    answers = judge.scores(endless())
    assert [next(answers) for _ in range(3)] == [0.5] * 3
    answers.close()
    assert given <= 3 + 2 * 4
    asked = len(server.asked)
    time.sleep(0.3)
    assert len(server.asked) <= asked + 2  # those that were begun
    assert judge.compare(picture(judge, 0), picture(judge, 1)) == 0.5


def test_a_stop_gives_what_came_before(serve: Serve) -> None:
    release = threading.Event()

    def behave(asked: Asked) -> Answer:
        if asked.levels[1] == 2:
            release.wait(600)
            return fails(401, "the key ran out")
        if asked.levels[1] >= 6:
            release.set()
            time.sleep(1)  # asked before the stop, answered after it
        return scores(asked.levels[1])

    server = serve(behave)
    found, error = run(made(server, judge_parallel=2), 20)
    assert "the key ran out" in str(error)
    assert found[:2] == [0.0, 0.1]
    assert reason(found[2])[1] is False
    assert found[3:7] == [0.3, 0.4, 0.5, 0.6]
    assert len(server.asked) <= 9
    for level, score in enumerate(found):
        assert isinstance(score, NoScore) or score == level / 10


def test_what_stops_it_is_said_and_not_what_it_left_undone(serve: Serve) -> None:
    refused = threading.Event()

    def behave(asked: Asked) -> Answer:
        if asked.levels[1] == 0:
            refused.wait(600)
            return fails(503)
        refused.set()
        return fails(404, "no such model")

    server = serve(behave)
    server.models = ["x"]
    found, error = run(made(server, judge_parallel=2, judge_max_failures=0.0), 8)
    assert str(error) == f"judge: {server.url} has no model m: it has x"
    assert not any(reason(score)[1] for score in found)


def test_a_page_of_a_firewall_is_no_refusal_of_the_model(serve: Serve) -> None:
    server = serve(lambda asked: Answer(403, "<html>Blocked by our content policy</html>"))
    found, error = run(made(server), 2)
    assert str(error) == f"judge: {server.url} answers 403: set NEARID_JUDGE_KEY to a key"
    assert not any(reason(score)[1] for score in found)


def test_an_interrupt_gives_what_came_before_and_waits_for_nobody(serve: Serve) -> None:
    release = threading.Event()

    def behave(asked: Asked) -> Answer:
        if asked.levels[1] in (1, 5):
            release.wait(600)
        return scores(asked.levels[1])

    server = serve(behave)
    judge = made(server, judge_parallel=2)

    def interrupted() -> Iterator[tuple[SentPicture, SentPicture]]:
        yield from pairs(judge, 6)
        while len(server.asked) < 6:  # the last is asked by who has the answer to the one before
            time.sleep(0.01)
        raise KeyboardInterrupt

    found: list[float | NoScore] = []
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        found.extend(judge.scores(interrupted()))  # what came before an exception is there, too
    assert time.monotonic() - begun < 60
    release.set()
    assert found[0] == 0.0
    assert reason(found[1])[1] is False
    assert found[2:5] == [0.2, 0.3, 0.4]
    assert reason(found[5])[1] is False


def test_headers_that_never_end_are_late_too() -> None:
    """Each byte comes in time, and the answer does not."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            with contextlib.suppress(OSError):
                while True:
                    open_, _ = listening.accept()
                    threading.Thread(target=trickle, args=(open_,), daemon=True).start()

        def trickle(open_: socket.socket) -> None:
            with contextlib.suppress(OSError), open_:
                open_.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while True:
                    time.sleep(0.1)
                    open_.sendall(b"x")

        threading.Thread(target=drip, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        judge = Judge("m", judge_url=url, judge_max_failures=1.0, judge_timeout=0.5)
        judge.retries = Retries(attempts=2, first=0.01, longest=2.0)
        judge.load("cpu")
        begun = time.monotonic()
        assert reason(judge.compare(picture(judge, 1), picture(judge, 2))) == ("no answer (timed out)", False)
        assert time.monotonic() - begun < 120


# --- too many without a score


@pytest.mark.parametrize("bad", [{0}, {2}, {0, 1}])
def test_what_is_too_many_does_not_depend_on_the_order(serve: Serve, bad: set[int]) -> None:
    server = serve(lambda asked: says("no") if asked.levels[1] in bad else scores(5))
    found, error = run(made(server, judge_max_failures=0.4), 3)
    assert (error is None) is (len(bad) == 1)
    assert [isinstance(score, NoScore) for score in found] == [index in bad for index in range(3)]
    if error:
        assert str(error) == (
            f"judge: 2 of 3 pairs without a score{'' if 2 in bad else ' so far'}: 2 x unreadable answer (no score in "
            "it); more than --judge-max-failures 0.4 allows. What came is kept. --judge-log FILE keeps what the "
            "model writes."
        )


def test_a_stop_waits_for_what_was_asked_and_asks_nothing_again(serve: Serve) -> None:
    def behave(asked: Asked) -> Answer:
        while asked.levels[1] == 0 and len(server.asked) < 2:
            time.sleep(0.01)
        return says("no") if asked.levels[1] == 0 else fails(503, headers={"Retry-After": "110"})

    server = serve(behave)
    begun = time.monotonic()
    found, error = run(made(server, judge_max_failures=0.0, judge_parallel=2, retries=Retries()), 2)
    assert "1 of 2 pairs" in str(error)
    assert reason(found[1]) == ("no answer (HTTP 503)", False)
    assert time.monotonic() - begun < 60
    assert len(server.asked) == 2


def test_it_stops_as_soon_as_it_is_certain(serve: Serve) -> None:
    server = serve(lambda asked: says("no"))
    found, error = run(made(server, judge_max_failures=0.05, judge_parallel=1), 20)
    assert "2 of 20 pairs" in str(error)
    assert len(server.asked) <= 3
    assert [reason(score)[1] for score in found[:2]] == [True, True]


def test_a_share_is_a_share_to_the_last_digit(serve: Serve) -> None:
    server = serve(lambda asked: says("no") if asked.levels[1] == 0 else scores(5))
    judge = made(server, judge_max_failures=0.29)
    judge.begin([0.5] * 71 + [NoScore("unreadable answer")] * 28, [("r", "g")])
    (last,) = judge.scores(pairs(judge, 1))  # the 29th of 100
    assert reason(last)[1] is True


def test_what_the_cache_has_counts_too(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    judge = made(serve(lambda asked: scores(5)), judge_max_failures=0.5)
    with pytest.raises(ModelError, match=r"^judge: 2 of 3 pairs without a score"):
        judge.begin([0.5, NoScore("unreadable answer"), NoScore("unreadable answer")], [])
    judge.begin([0.5, NoScore("unreadable answer")], [])
    assert "1 of 2 pairs without a score: 1 x unreadable answer" in caplog.text
    judge.begin([NoScore("unreadable answer")], [("r", "g")] * 2)
    assert list(judge.scores(pairs(judge, 2))) == [0.5, 0.5]


# --- how it is asked for


def test_what_is_known_of_it() -> None:
    judge = Judge("org/model", "v2")
    assert judge.checkpoint == "org/model@v2"
    assert judge.range == (0.0, 1.0)
    assert not judge.symmetric
    assert not judge.keeps_features
    assert (
        "org/model@v2 sees the reference, then the generation, and says by our rubric from 0 to 10"
        in judge.protocol
    )


def test_a_model_is_named() -> None:
    with pytest.raises(UsageError, match=r"expected the model's name at the endpoint, --metric judge=MODEL"):
        Judge()


@pytest.mark.parametrize(
    "wrong",
    [{"judge_max_failures": 5}, {"judge_max_failures": -0.1}, {"judge_parallel": 0}, {"judge_timeout": 0}],
)
def test_numbers_that_make_no_sense(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(UsageError, match=rf"^metric judge: expected .* for {name}, found {wrong[name]}$"):
        Judge("m", **wrong)


def test_an_address_is_needed_to_ask_only() -> None:
    judge = Judge("m")
    judge.begin([0.5], [])
    with pytest.raises(UsageError, match="expected --judge-url"):
        judge.load("cpu")


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:8000", "http://a b/v1", "ftp://x/v1", "http://", "", "http://x:port/v1", "http://[x/v1"],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UsageError, match=r"^--judge-url: expected an address like http://127.0.0.1:8000/v1"):
        Judge("m", judge_url=url)


def test_an_address_has_no_password() -> None:
    with pytest.raises(UsageError, match="expected no name and password in the address") as raised:
        Judge("m", judge_url="https://me:secret@host/v1")
    assert "secret" not in str(raised.value)
    assert check_url("https://host/v1/chat/completions") == "https://host/v1"


def test_an_address_may_have_a_query(serve: Serve) -> None:
    server = serve(lambda asked: scores(5))
    judge = made(server, judge_url=server.url + "/?api-version=2")
    handler = server.RequestHandlerClass
    paths: list[str] = []

    def post(self: Any) -> None:
        paths.append(self.path)
        self.path = self.path.partition("?")[0]
        handler.do_POST(self)  # type: ignore[attr-defined]

    server.RequestHandlerClass = type("Notes", (handler,), {"do_POST": post})  # type: ignore[misc]
    assert run(judge, 1) == ([0.5], None)
    assert paths == ["/v1/chat/completions?api-version=2"]


def test_what_is_asked_and_by_which_model_decides_about_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Same one? JSON with a score.")
    (tmp_path / "b.txt").write_text("scale: 0-4\nSame one? JSON with a score.")
    (tmp_path / "c.txt").write_text("scale: 0 - 4\r\n\r\nSame one? JSON with a score.\r\n")
    versions = [Judge("m", judge_template=path).version for path in (None, *sorted(tmp_path.iterdir()))]
    assert len(set(versions)) == 3
    assert versions[2] == versions[3]
    settings = {"judge_url": "http://x/v1", "judge_parallel": 9, "judge_log": "x", "judge_max_failures": 0.5}
    assert Judge("m", **settings).version == versions[0]  # type: ignore[arg-type]


def test_a_rubric_on_another_scale(serve: Serve, tmp_path: Path) -> None:
    template = tmp_path / "rubric.txt"
    template.write_text(
        "Scale: 1-5\nDo they show the same one? Answer in JSON: score, reason.", encoding="utf-8-sig"
    )
    server = serve(lambda asked: scores(asked.levels[1]))
    judge = made(server, judge_template=template)
    found, _ = run(judge, 7)
    assert found[1:6] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert reason(found[0]) == reason(found[6]) == ("unreadable answer (score outside 1 to 5)", True)
    asked = server.asked[0].body["messages"][0]["content"][0]["text"]
    assert asked == "Do they show the same one? Answer in JSON: score, reason."
    assert f"by the rubric {read_rubric(template).digest} from 1 to 5" in judge.protocol


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected an instruction that asks for JSON with a score"),
        (b"Are they the same?", "found no word of json and score"),
        (b"Give a score.", "found no word of json$"),
        (b"scale: 4-0\njson score", "expected a first line like `scale: 0-4`, the lower number first"),
        (b"scale: low to high\njson score", 'found "scale: low to high"'),
        (b"scale: 3-3\njson score", "the lower number first"),
        (b"\xff\xfe\x00", "expected text in UTF-8, found other bytes at 0"),
        (b"json score" * 20_000, "cannot be read: has 200.0 kB"),
    ],
)
def test_what_is_no_rubric(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "rubric.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"^--judge-template .*rubric.txt: ") as raised:
        Judge("m", judge_template=path)
    with pytest.raises(UsageError, match=message):
        raise raised.value


def test_a_rubric_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        Judge("m", judge_template=tmp_path / "none.txt")


def test_our_rubric_passes_its_own_checks(tmp_path: Path) -> None:
    path = tmp_path / "ours.txt"
    path.write_text(own_rubric().text)
    assert read_rubric(path) == own_rubric()
