"""What runs on the nodes of a cluster: digests, preparing pictures, the forward pass; by the code of one machine."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from nearid_cli.embedding.cluster.introducing import difference, own_introduction
from nearid_cli.embedding.forward import Forward
from nearid_cli.embedding.patience import StarvedError, patiently
from nearid_cli.embedding.preparing import prepared
from nearid_cli.embedding.reading import Content, Identified, digest_or_reason
from nearid_cli.embedding.settings import Settings
from nearid_cli.embedding.working import load_all
from nearid_cli.encoders.checkpoints import SHIPPED_FOLDER
from nearid_cli.encoders.load import load_encoder, load_preparer
from nearid_cli.encoders.registry import SHIPPED
from nearid_cli.encoders.spec import EncoderSpec, Preparer
from nearid_cli.errors import MachineError, ModelError
from nearid_cli.images.memory import BUDGET
from nearid_cli.images.reading import DEFAULT_READING, Findings, Reading, UnreadableImage
from nearid_cli.text import printable

if TYPE_CHECKING:
    from PIL import Image

    from nearid_cli.encoders.spec import Embeddings, Pixels
    from nearid_cli.images.decode import Decoded, Halve

    Ready = dict[str, list[tuple[bytes, Pixels]]]
    """By encoder, digests and prepared pictures."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Plan:
    """What all work of a job has in common.

    Attributes:
        number: tells it apart from other plans in one process.
        specs: the encoders with work to do, by name.
        settings: how, on nodes.
        memory: what decoding may take in each process; None for what it finds free.
        modules: the packages of plug-ins.
        common: what the machine that asks has, these among it, by `introducing`.
        threads: of the processor that a process of the crew takes, where the user says it; None for all of its node.
    """

    number: str
    specs: Mapping[str, EncoderSpec]
    settings: Settings
    memory: int | None
    modules: tuple[str, ...]
    common: Mapping[str, str]
    threads: str | None


@dataclass
class Starved:
    """Work that failed for want of what did not come back."""

    item: object
    cause: BaseException | None

    def error(self) -> StarvedError:
        """As it is raised where nothing is between."""
        error = StarvedError(self.item)
        error.__cause__ = self.cause
        return error


@dataclass
class Answer:
    """What came of several files, or pictures, on one node, without pixels.

    Attributes:
        node: Ray's id of it.
        identified: of files, by their paths.
        good: digests of pictures that are prepared.
        unusable: by digest, why, and whether the right bytes were read.
        absent: by encoder, digests of pictures without an embedding.
        found: by digest, what of it was a matter of choice.
        starved: what failed for want of something, and the rest with it.
    """

    node: str
    identified: dict[Path, Identified] = field(default_factory=dict)
    good: list[bytes] = field(default_factory=list)
    unusable: dict[bytes, tuple[UnreadableImage, bool]] = field(default_factory=dict)
    absent: dict[str, list[bytes]] = field(default_factory=dict)
    found: dict[bytes, Findings] = field(default_factory=dict)
    starved: Starved | None = None


def identify_files(plan: Plan, paths: Sequence[Path]) -> Answer:
    """The digests of files."""
    answer = Answer(_begin(plan))
    for path, outcome in _one_by_one(paths, digest_or_reason, answer):
        answer.identified[path] = outcome
    return answer


class PictureToPrepare(NamedTuple):
    """A picture to prepare: its name where it comes from, and the names of the encoders that lack it."""

    digest: bytes
    name: str
    content: Content
    lacking: Sequence[str]


def prepare_pictures(plan: Plan, pictures: Sequence[PictureToPrepare]) -> tuple[Answer, Ready]:
    """Read, check, decode and prepare pictures."""
    answer = Answer(_begin(plan))
    ready: Ready = {}

    def prepare(picture: PictureToPrepare) -> dict[str, Pixels | None] | UnreadableImage:
        preparers = {name: _preparer(plan.number, name, plan) for name in picture.lacking}
        watched = _Watched(picture.content)
        try:
            made = prepared(
                watched,
                preparers.values(),
                plan.settings,
                functools.partial(answer.found.__setitem__, picture.digest),
            )
        except UnreadableImage as error:
            answer.unusable[picture.digest] = error, watched.opened
            return error
        except ModelError as error:
            raise ModelError(f"{error.message} ({printable(picture.name)})", error.details) from error
        return {name: made[preparer.preparation] for name, preparer in preparers.items()}

    for picture, outcome in _one_by_one(pictures, prepare, answer):
        if isinstance(outcome, UnreadableImage):
            continue
        answer.good.append(picture.digest)
        for name, pixels in outcome.items():
            if pixels is None:
                answer.absent.setdefault(name, []).append(picture.digest)
            else:
                ready.setdefault(name, []).append((picture.digest, pixels))
    return answer, ready


class Embedder:
    """Runs the encoders of a plan, in a process of its own.

    Args:
        plan: which, and where.
        threads: of the processor.
    """

    def __init__(self, plan: Plan, threads: int) -> None:
        self._plan = plan
        self._threads = threads
        self._forwards: dict[str, Forward] = {}

    def load(self) -> None:
        """Load them.

        Raises:
            ModelError: as `load_encoder`; all that cannot be loaded are named.
        """
        _begin(self._plan)
        specs = [_here(spec) for spec in self._plan.specs.values()]
        if any(spec.folder is not None for spec in specs):
            import torch

            torch.set_num_threads(self._threads)
        how = self._plan.settings
        loaded = load_all(specs, functools.partial(load_encoder, device=how.device))
        self._forwards = {name: Forward(one, how.pictures_a_pass) for name, one in loaded.items()}

    def embed(self, *ready: Ready) -> dict[str, tuple[list[bytes], Embeddings]]:
        """By encoder, the digests and embeddings [N, D], of what was prepared.

        Raises:
            ModelError: an encoder fails.
        """
        rows = {}
        for name, forward in self._forwards.items():
            pictures = [picture for one in ready for picture in one.get(name, ())]
            if pictures:
                embedded = forward([pixels for _, pixels in pictures])
                rows[name] = [digest for digest, _ in pictures], embedded
        return rows


class _Watched:
    """A picture, and whether it could be opened: then its bytes were the right ones."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self.opened = False

    @property
    def name(self) -> str:
        return self._content.name

    def for_travel(self) -> Content:
        return self._content.for_travel()

    def open(
        self, max_pixels: int | None, reading: Reading = DEFAULT_READING, halve: Halve | None = None
    ) -> Decoded:
        decoded = self._content.open(max_pixels, reading, halve)
        self.opened = True
        return decoded

    def open_apart(
        self, max_pixels: int | None, reading: Reading = DEFAULT_READING
    ) -> tuple[Decoded, Image.Image | None]:
        return self._content.open_apart(max_pixels, reading)


def _begin(plan: Plan) -> str:
    """Ray's id of this node, which has what the machine that asks has.

    Raises:
        MachineError: it has not: its numbers might be others.
    """
    import ray

    node: str = ray.get_runtime_context().get_node_id()
    if lack := difference(node[:8], own_introduction(plan.modules), plan.common):
        raise MachineError(
            f"{lack}: different versions may give different numbers; install the same on all nodes"
        )
    BUDGET.size = plan.memory
    return node


def _one_by_one(
    items: Iterable[Item], work: Callable[[Item], Result], answer: Answer
) -> Iterable[tuple[Item, Result]]:
    """Results of work on items; what the machine fails at for too long is noted, with what would come after it."""
    with ThreadPoolExecutor(1) as pool:
        try:
            yield from patiently(pool, items, work, window=1)
        except StarvedError as starved:
            item = starved.item
            answer.starved = Starved(
                item.digest if isinstance(item, PictureToPrepare) else item, starved.__cause__
            )


def unseen(places: Sequence[tuple[Path, int]]) -> list[Path]:
    """Those of some files, with their sizes, that are not so here."""
    return [path for path, size in places if size_of(path) != size]


def size_of(path: Path) -> int | None:
    """The size of a file; None where there is none to be seen."""
    try:
        return path.stat().st_size
    except OSError:
        return None


@functools.lru_cache(maxsize=64)
def _preparer_of(number: str, spec: EncoderSpec) -> Preparer:
    return load_preparer(spec)


def _preparer(number: str, name: str, plan: Plan) -> Preparer:
    """What prepares pictures for an encoder, once for each plan and process."""
    return _preparer_of(number, _here(plan.specs[name]))


def _here(spec: EncoderSpec) -> EncoderSpec:
    """An encoder as this node has it: what ships with nearid lies where nearid does."""
    return replace(spec, folder=SHIPPED_FOLDER.absolute()) if spec.checkpoint == SHIPPED else spec
