"""The metric itself: pictures as they are sent, several requests at a time, what has no score, and what it costs."""

from __future__ import annotations

import base64
import logging
import threading
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nearid_cli.errors import UsageError
from nearid_cli.measures.judge.address import check_url
from nearid_cli.measures.judge.answers import UnreadableAnswerError, read_score
from nearid_cli.measures.judge.client import Endpoint, Retries
from nearid_cli.measures.judge.record import AnswerLog
from nearid_cli.measures.judge.replies import NoReplyError
from nearid_cli.measures.judge.rubric import own_rubric, read_rubric
from nearid_cli.measures.judge.tally import Tally
from nearid_cli.measures.judge.workers import Workers
from nearid_cli.plugins import NoScore, PairwiseMetric
from nearid_cli.remote.stores import check_on_disk
from nearid_cli.text import count, printable

if TYPE_CHECKING:
    from PIL import Image

logger = logging.getLogger(__name__)

LONGER_SIDE = 1024
_QUALITY = 95
_AHEAD = 4
"""How many answers a thread may be ahead of the first one that has not come."""


@dataclass(frozen=True)
class SentPicture:
    """A picture as it is sent.

    Attributes:
        jpeg: its file.
        digest: of that file, 16 hex digits of BLAKE3.
    """

    jpeg: bytes
    digest: str

    @property
    def part(self) -> dict[str, Any]:
        """As a part of a message."""
        data = base64.b64encode(self.jpeg).decode("ascii")
        return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}


@dataclass(frozen=True)
class _Question:
    """A pair as a thread gets it; `names` are of reference and generation, empty where nobody said them."""

    reference: SentPicture
    generation: SentPicture
    names: tuple[str, str] | tuple[()]


class Judge(PairwiseMetric):
    """A vision-language model says how sure it is that a generation shows the very individual of a reference.

    Args:
        checkpoint: what the endpoint calls the model.
        revision: what stands behind an `@` in that.
        judge_url: the endpoint's address as far as `/v1`; None where every score is in the cache.
        judge_template: a file with another rubric.
        judge_max_failures: the share of pairs without a score that a run goes on with.
        judge_log: a file that every answer is added to.
        judge_parallel: how many requests are made at a time.
        judge_timeout: seconds that an answer may take.

    Attributes:
        retries: how often something is asked again.

    Raises:
        UsageError: a model is not named, or one of these is wrong.
    """

    retries = Retries()
    range = (0.0, 1.0)
    symmetric = False
    dtype = ""
    preprocessing = f"longer side at most {LONGER_SIDE} px (Lanczos), JPEG {_QUALITY} 4:4:4"
    options: ClassVar[tuple[str, ...]] = (
        "judge_url",
        "judge_template",
        "judge_max_failures",
        "judge_log",
        "judge_parallel",
        "judge_timeout",
    )

    def __init__(
        self,
        checkpoint: str = "",
        revision: str | None = None,
        judge_url: str | None = None,
        judge_template: str | Path | None = None,
        judge_max_failures: float = 0.05,
        judge_log: str | Path | None = None,
        judge_parallel: int = 4,
        judge_timeout: float = 120.0,
    ) -> None:
        if not checkpoint:
            raise UsageError(
                "metric judge: expected the model's name at the endpoint, --metric judge=MODEL, found none"
            )
        for name, value, good in (
            ("judge_max_failures", judge_max_failures, 0 <= judge_max_failures <= 1),
            ("judge_parallel", judge_parallel, judge_parallel >= 1),
            ("judge_timeout", judge_timeout, judge_timeout > 0),
        ):
            if not good:
                wanted = "a share from 0 to 1" if name == "judge_max_failures" else "more than 0"
                raise UsageError(f"metric judge: expected {wanted} for {name}, found {value}")
        self.checkpoint = f"{checkpoint}@{revision}" if revision else checkpoint
        self._rubric = own_rubric() if judge_template is None else read_rubric(judge_template)
        whose = "our rubric" if judge_template is None else f"the rubric {self._rubric.digest}"
        low, high = self._rubric.low, self._rubric.high
        self.version = f"judge/1, rubric {self._rubric.digest}, temperature 0"
        self.protocol = (
            f"{printable(self.checkpoint)} sees the reference, then the generation, and says by {whose} from {low:g} "
            f"to {high:g} whether both show the same individual; as a share of that scale"
        )
        self._url = None if judge_url is None else check_url(judge_url)
        self._log_path = judge_log
        self._parallel = judge_parallel
        self._timeout = judge_timeout
        self._endpoint: Endpoint | None = None
        self._log: AnswerLog | None = None
        self._names: Sequence[tuple[str, str]] = ()
        self._tally = Tally(
            judge_max_failures, "" if judge_log else "--judge-log FILE keeps what the model writes."
        )
        self._lock = threading.Lock()
        self._read = self._written = 0

    def load(self, device: str) -> None:
        """See `AnyMetric.load`; nothing is sent.

        Raises:
            UsageError: no address was given.
            InputError: the log cannot be written.
        """
        self._endpoint = self._connected()
        if self._log_path is not None:
            check_on_disk(self._log_path)
            self._log = AnswerLog(self._log_path)
        if self._endpoint.sends_key_in_the_open:
            logger.warning("judge: the key goes to %s without encryption (http)", self._endpoint.shown)

    def _connected(self) -> Endpoint:
        if self._url is None:
            raise UsageError(
                "metric judge: expected --judge-url, the address of an OpenAI-compatible endpoint such as "
                "http://127.0.0.1:8000/v1, found none"
            )
        return Endpoint(self._url, self.checkpoint, self._timeout, self.retries)

    def begin(self, known: Sequence[float | NoScore], missing: Sequence[tuple[str, str]]) -> None:
        """See `AnyMetric.begin`.

        Raises:
            ModelError: of the known ones, too many are no score.
        """
        self._names = missing
        self._tally.begin(known, len(missing))
        if not missing:
            self._tally.end()

    @property
    def spent(self) -> str:
        """See `AnyMetric.spent`."""
        return count(self._read + self._written, "token") if self._read + self._written else ""

    def features(self, image: Image.Image, mask: Image.Image | None = None) -> SentPicture:
        """The picture as it is sent, without anything else that its file may have held."""
        from blake3 import blake3
        from PIL import Image as Images

        size = image.size
        if max(size) > LONGER_SIDE:
            width, height = (max(1, round(side * LONGER_SIDE / max(size))) for side in size)
            image = image.resize((width, height), Images.Resampling.LANCZOS)
        file = BytesIO()
        plain = Images.fromarray(np.asarray(image.convert("RGB")))
        plain.save(file, "JPEG", quality=_QUALITY, subsampling=0)
        return SentPicture(file.getvalue(), blake3(file.getvalue()).hexdigest(length=8))

    def compare(self, reference: SentPicture, generation: SentPicture) -> float | NoScore:
        """The answer to one pair; see `scores` for several."""
        (score,) = self.scores([(reference, generation)])
        return score

    def scores(self, pairs: Iterable[tuple[SentPicture, SentPicture]]) -> Iterator[float | NoScore]:
        """The answers to pairs, in their order; several are waited for at a time.

        Whatever stops it, each answer that came before is given first.

        Raises:
            ModelError: no answer will ever come, or too many pairs have no score.
            InputError: the log cannot be written.
        """
        assert self._endpoint is not None, "load() comes first"
        if self._endpoint.stopped:  # an earlier run was
            self._endpoint = self._connected()
        workers = Workers(self._parallel, self._ask)
        waiting: deque[Future[float | NoScore]] = deque()
        rest = enumerate(pairs)
        try:
            while True:
                # An interrupt may come at any moment. In here, the first of `waiting` is the next to be given; after
                # it, nobody could say, and a score must not go to another pair.
                try:
                    while len(waiting) < _AHEAD * self._parallel and (pair := next(rest, None)):
                        waiting.append(workers.begin(self._question(*pair)))
                    if not waiting:
                        break
                    score = waiting[0].result()
                    if self._endpoint.stopped:
                        raise _reason(waiting)
                    self._tally.add(score)
                except BaseException as error:
                    self._endpoint.stop()
                    yield from _left(waiting, patiently=not isinstance(error, KeyboardInterrupt))
                    raise
                waiting.popleft()
                yield score
        finally:
            if waiting:  # whoever asked for scores wants no more of them
                self._endpoint.stop()
                _cancel(waiting)
            workers.end()
            self._endpoint.close()
            if self._read:
                logger.info(
                    "judge: %s read and %s written", count(self._read, "token"), count(self._written, "token")
                )
        self._tally.end()

    def _question(self, number: int, pair: tuple[SentPicture, SentPicture]) -> _Question:
        return _Question(*pair, self._names[number] if number < len(self._names) else ())

    def _ask(self, question: _Question) -> float | NoScore:
        """Ask, in any thread, and note what came."""
        assert self._endpoint is not None
        low, high = self._rubric.low, self._rubric.high
        reply, problem = None, None
        score: float | NoScore
        try:
            reply = self._endpoint.ask(_message(self._rubric.text, question.reference, question.generation))
            if reply.refused:
                raise UnreadableAnswerError("refused")
            score = self._rubric.share(read_score(reply.text, low, high, reply.cut))
        except NoReplyError as error:
            problem = f"no answer ({error})"
            score = NoScore(problem, lasting=False)
            problem += f": {error.said}" if error.said else ""
        except UnreadableAnswerError as error:
            problem = f"unreadable answer ({error})"
            score = NoScore(problem)
        tokens = reply.tokens if reply else (0, 0)
        with self._lock:
            self._read += tokens[0]
            self._written += tokens[1]
        if self._log is not None and (reply or not self._endpoint.stopped):
            self._log.add(
                model=self.checkpoint,
                rubric=self._rubric.digest,
                reference=_log_name(question.reference, question.names[:1]),
                generation=_log_name(question.generation, question.names[1:]),
                answer=self._endpoint.hide(reply.text) if reply else None,
                score=None if isinstance(score, NoScore) else score,
                problem=problem,
                tokens={"read": tokens[0], "written": tokens[1]},
            )
        return score


def _message(instruction: str, reference: SentPicture, generation: SentPicture) -> list[dict[str, Any]]:
    """What is asked about a pair. Whoever changes it changes the version of the metric."""
    return [
        {"type": "text", "text": instruction},
        {"type": "text", "text": "The first picture, the reference:"},
        reference.part,
        {"type": "text", "text": "The second picture:"},
        generation.part,
    ]


def _log_name(picture: SentPicture, name: Sequence[str]) -> dict[str, str]:
    return {"picture": name[0], "sent": picture.digest} if name else {"sent": picture.digest}


def _cancel(waiting: Collection[Future[float | NoScore]]) -> None:
    for future in waiting:
        future.cancel()  # does nothing to what has begun


def _reason(waiting: Collection[Future[float | NoScore]]) -> BaseException:
    """Why nothing is asked any more, which some thread found out."""
    _cancel(waiting)
    wait(waiting)
    errors = (future.exception() for future in waiting if not future.cancelled())
    return next(error for error in errors if error)


def _left(waiting: Collection[Future[float | NoScore]], patiently: bool) -> Iterator[float | NoScore]:
    """What has come of pairs when a run stops; each has its place, so that a score stays with its pair.

    Args:
        waiting: pairs in their order.
        patiently: wait for what was asked already, and is paid for.
    """
    _cancel(waiting)
    if patiently:
        wait(waiting)
    for future in waiting:
        came = future.done() and not future.cancelled() and future.exception() is None
        yield future.result() if came else NoScore("the run stopped", lasting=False)
