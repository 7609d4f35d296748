"""This machine's side of a cluster: what is done where, what comes back, and whom it believes.

Files are identified, and pictures prepared, by tasks that Ray places on CPUs and does again where a process or a node
ends. What is prepared stays where Ray keeps it until a process of the crew embeds it. Rows come back here, and from
here go into the cache: its parts are the user's own, whoever runs the nodes, and no smaller than those of one machine.

Ray's own data sets would do much of this. But they take all pictures at once, try for ever what ends its process or
else end without saying which picture that was, and make tables, to which pictures of many shapes and none are opaque.

A node is not believed that a picture cannot be used unless it had the right bytes: this machine looks again. So the
words are the same as without a cluster, and a node that does not see the files is named for what it is.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from nearid_cli.elsewhere import shown, stand_in
from nearid_cli.embedding.cluster.connection import RETRIES, Lifeline, connect
from nearid_cli.embedding.cluster.crew import AT_A_TIME, Chunk, Crew, LostError, Node, got
from nearid_cli.embedding.cluster.introducing import difference, introduction, own_introduction
from nearid_cli.embedding.cluster.node import (
    Answer,
    PictureToPrepare,
    Plan,
    identify_files,
    prepare_pictures,
    size_of,
    unseen,
)
from nearid_cli.embedding.forward import testify
from nearid_cli.embedding.patience import StarvedError
from nearid_cli.embedding.reading import Content, GivenPicture, Identified, digest_or_reason
from nearid_cli.embedding.settings import Settings
from nearid_cli.embedding.stamps import FileState, Stamps
from nearid_cli.encoders.registry import SHIPPED
from nearid_cli.errors import MachineError, ModelError, UsageError
from nearid_cli.images.files import why_unreadable
from nearid_cli.images.reading import UnreadableImage
from nearid_cli.layouts.dataset import Masked
from nearid_cli.opening import is_transient
from nearid_cli.text import count, few, printable, said

if TYPE_CHECKING:
    from nearid_cli.embedding.ledger import Witness
    from nearid_cli.encoders.spec import EncoderSpec

T = TypeVar("T")

_CHUNK = 16  # pictures that are prepared together
_FILES = 64  # files that are identified together
_SAMPLES = 16  # files that every node is asked for before there is work
_SECONDS = 120  # to answer: the first process of a node starts
_EVERYWHERE = (
    "pictures and checkpoints must lie at the same paths on all nodes, on a file system that they share"
)


class Cluster:
    """A Ray cluster, which is connected to when there is work for it.

    Args:
        device: where encoders run: `cpu` or `cuda`.
        insisted: whether that was asked for, and not found on this machine.
        hash_file: the digest of a file, for weights that are known by a commit here and by that on nodes.
        memory: bytes that decoding may take in each process; None for what is free there.
    """

    def __init__(
        self, device: str, insisted: bool, hash_file: Callable[[Path], str], memory: int | None = None
    ) -> None:
        self._device = device
        self._insisted = insisted
        self._hash_file = hash_file
        self._memory = memory
        self._ray: Any = None
        self._met: dict[str, Node] = {}

    def identified(self, paths: Mapping[int, Path], settings: Settings) -> Iterator[tuple[int, Identified]]:
        """The state of each file as this machine sees it, and its digest; or why it cannot be used.

        Args:
            paths: files, by any number.
            settings: how.

        Returns:
            Yields them by their numbers. What is under way when it is closed is given up.

        Raises:
            StarvedError: as `patiently`, after all others were read.
            UsageError: there is no such cluster.
            MachineError: a node differs, or sees other files; or processes end.
        """
        nodes = self.meet(settings)
        self._check_seen(nodes, paths.values())
        return self._identified(nodes, paths, settings)

    def _identified(
        self, nodes: Sequence[Node], paths: Mapping[int, Path], settings: Settings
    ) -> Iterator[tuple[int, Identified]]:
        """See `identified`."""
        ray = self._ray
        shared = _put(ray, self._plan({}, settings))
        task = ray.remote(num_cpus=1, max_retries=RETRIES, scheduling_strategy="SPREAD")(identify_files)
        places: dict[Path, list[int]] = {}  # by paths that do not depend on where a process is
        for place, path in paths.items():
            places.setdefault(path.absolute(), []).append(place)
        chunks = _batched(places, _FILES)
        stamps = Stamps()
        starved: StarvedError | None = None
        running: dict[Any, list[Path]] = {}
        try:
            while True:
                while len(running) < 2 * _at_once(nodes, settings) and (chunk := next(chunks, None)):
                    running[task.remote(shared, chunk)] = chunk
                if not running:
                    break
                done = self._lifeline.first_done([*running])
                chunk = running.pop(done)
                try:
                    answer: Answer = got(ray, done)
                except LostError as lost:
                    raise _ended("reading", [str(path) for path in chunk], lost) from lost
                for path, outcome in answer.identified.items():
                    for place in places[path]:
                        node = self._name(answer.node)
                        yield place, _as_seen_here(paths[place], place, outcome, node, stamps)
                if answer.starved:
                    starved = answer.starved.error()
                    starved.item = places[cast(Path, answer.starved.item)][0]
        finally:
            _give_up(ray, running)
        if starved:
            raise starved

    def embed(
        self,
        missing: Mapping[bytes, Sequence[str]],
        contents: Mapping[bytes, Content],
        specs: Sequence[EncoderSpec],
        settings: Settings,
        witness: Witness,
    ) -> None:
        """Embed what is missing.

        Args:
            missing: digest -> names of the encoders that lack it.
            contents: by digest.
            specs: of these encoders.
            settings: how.
            witness: is told what comes of it.

        Raises:
            ModelError: an encoder cannot be loaded, or fails.
            StarvedError: as `patiently`, after all that could be prepared is embedded.
            UsageError: there is no such cluster.
            MachineError: a node differs, or sees other files; or processes end.
        """
        nodes = self.meet(settings)
        plan = self._plan({spec.name: self._known_by_content(spec) for spec in specs}, settings)
        if plan.modules:
            self._alike({node.id: node for node in nodes}, plan.modules)
        paths = [path for digest in missing if (path := _path(contents[digest])) is not None]
        self._check_seen(nodes, paths, plan.specs.values())
        ray = self._ray
        shared = _put(ray, plan)
        task = ray.remote(num_cpus=1, num_returns=2, max_retries=RETRIES, scheduling_strategy="SPREAD")(
            prepare_pictures
        )
        batch = plan.settings.pictures_a_pass
        size = min(_CHUNK, batch)
        together = batch // size
        crew = Crew(ray, plan, shared, nodes)
        fresh = (Chunk(digests) for digests in _batched(missing, size))
        again: list[Chunk] = []
        preparing: dict[Any, Chunk] = {}
        ready: list[Chunk] = []
        starved: StarvedError | None = None
        window = _at_once(nodes, plan.settings) + AT_A_TIME * together * len(crew)
        try:
            while True:
                while len(preparing) + len(ready) < window and (
                    chunk := again.pop() if again else next(fresh, None)
                ):
                    pictures = [
                        PictureToPrepare(
                            digest, contents[digest].name, contents[digest].for_travel(), missing[digest]
                        )
                        for digest in chunk.digests
                    ]
                    outcome, chunk.ready = task.remote(shared, pictures)
                    preparing[outcome] = chunk
                crew.give(ready, together, more=bool(preparing))
                under_way = [*preparing, *crew.under_way(wanted=bool(preparing or ready))]
                if not under_way:
                    break
                outcome = self._lifeline.first_done(under_way)
                if outcome not in preparing:
                    done = crew.done(outcome)
                    again += done.lost
                    for name, (digests, rows) in done.rows.items():
                        testify(witness, name, digests, rows)
                    continue
                chunk = preparing.pop(outcome)
                try:
                    answer: Answer = got(ray, outcome)
                except LostError as lost:
                    again += _one_by_one(chunk, contents, lost)
                    continue
                for digest, (error, opened) in answer.unusable.items():
                    if not opened:
                        error = _confirmed(digest, contents[digest], error, self._name(answer.node), plan)
                    witness.saw(digest, answer.found.get(digest), error)
                for digest in answer.good if not chunk.tries else ():
                    witness.saw(digest, answer.found.get(digest), None)
                for name, digests in answer.absent.items():
                    for digest in digests:
                        witness.lacked(name, digest)
                starved = answer.starved.error() if answer.starved else starved
                chunk.digests = answer.good
                if chunk.digests:
                    ready.append(chunk)
        finally:
            crew.dismiss()
            _give_up(ray, preparing)
        if starved:
            raise starved

    def meet(self, settings: Settings) -> list[Node]:
        """The nodes that work, each of which has what this machine has.

        Raises:
            UsageError: there is no cluster, or not the device.
            MachineError: a node differs, or does not answer.
        """
        self._ray = connect(settings.threads)
        self._lifeline = Lifeline(self._ray)
        nodes = self._alive()
        gpus = sum(node.gpus for node in nodes)
        if self._device == "cuda" and not gpus:
            raise UsageError("no GPU in the Ray cluster; choose --device cpu")
        if self._device == "cpu" and gpus and not self._insisted:
            raise UsageError(
                f"the Ray cluster has {count(gpus, 'GPU')} and this machine none that torch can use: say --device cuda "
                "(in float16, if no --dtype says otherwise) or --device cpu"
            )
        if not sum(node.cpus for node in nodes):
            raise UsageError("no CPU in the Ray cluster, on which pictures are prepared")
        new = {node.id: node for node in nodes if node.id not in self._met}
        self._met |= {id: new[id] for id in self._alike(new)}
        return [node for node in nodes if node.id in self._met]

    def _alike(self, nodes: Mapping[str, Node], modules: tuple[str, ...] = ()) -> list[str]:
        """Those of some nodes, by Ray's ids, that are still there; all have what this machine has.

        Raises:
            MachineError: one has not.
        """
        here = own_introduction(modules)
        answers = self._ask_all([*nodes.values()], introduction(modules))
        lines = [line for id, there in answers.items() if (line := difference(nodes[id].name, there, here))]
        if lines:
            advice = "different versions may give different numbers; install the same on all nodes"
            raise MachineError(f"{lines[0]}: {advice}", lines[1:])
        return [*answers]

    def _alive(self) -> list[Node]:
        return [node for found in self._ray.nodes() if (node := _node(found))]

    def _ask_all(self, nodes: Sequence[Node], ask: Callable[..., T], *arguments: object) -> dict[str, T]:
        """What each node answers, by its id; those that end meanwhile are left out.

        Raises:
            MachineError: one does not.
        """
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        asked = {
            self._ray.remote(num_cpus=0)(ask)
            .options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False))
            .remote(*arguments): node
            for node in nodes
        }
        done, late = self._ray.wait([*asked], num_returns=len(asked), timeout=_SECONDS) if asked else ([], [])
        answers, silent = {}, [asked[one].name for one in late]
        for one in done:
            try:
                answers[asked[one].id] = got(self._ray, one)
            except LostError:
                silent.append(asked[one].name)
        if silent and (silent := [one.name for one in self._alive() if one.name in silent]):
            raise MachineError(
                f"{count(len(silent), 'node')} of the Ray cluster did not answer: {few(silent)}"
            )
        return answers

    def _check_seen(
        self, nodes: Sequence[Node], paths: Iterable[Path], specs: Iterable[EncoderSpec] = ()
    ) -> None:
        """Refuse nodes that do not see a few of the pictures, or checkpoints, as this machine does.

        Raises:
            UsageError: none can: pictures are fetched by this machine.
            MachineError: there are such nodes.
        """
        pictures = [path.absolute() for path in paths]
        if fetched := [path for path in pictures if stand_in(path)]:
            raise UsageError(
                f"--engine ray embeds files that its nodes see, and {printable(shown(str(fetched[0])))} is fetched by "
                "this machine; copy the pictures to a file system that the nodes share, or choose --engine torch"
            )
        asked = pictures[:: max(1, len(pictures) // _SAMPLES)]
        for spec in specs:
            if spec.folder is not None and spec.checkpoint != SHIPPED:
                asked += [spec.folder / name for name in spec.digests]
        seen = [(path, size) for path in asked if (size := size_of(path)) is not None]
        unseen_by = self._ask_all(nodes, unseen, seen)
        lines = [
            f"node {node.name} does not see {few([str(path) for path in lacking])} as this machine does"
            for node in nodes
            if (lacking := unseen_by.get(node.id))
        ]
        if lines:
            raise MachineError(f"{lines[0]}: {_EVERYWHERE}", lines[1:])

    def _plan(self, specs: Mapping[str, EncoderSpec], settings: Settings) -> Plan:
        modules = _modules(specs.values())
        return Plan(
            secrets.token_hex(8),
            specs,
            replace(settings, device=self._device, cluster=None),
            self._memory,
            modules,
            own_introduction(modules),
            os.environ.get("OMP_NUM_THREADS"),
        )

    def _known_by_content(self, spec: EncoderSpec) -> EncoderSpec:
        """An encoder with the digest of each file, so that no node loads another: here, a commit was enough."""
        if spec.folder is None or spec.checkpoint == SHIPPED:
            return spec
        return replace(
            spec,
            digests={
                name: digest or self._hash_file(spec.folder / name) for name, digest in spec.digests.items()
            },
        )

    def _name(self, node: str) -> str:
        return self._met[node].name if node in self._met else node[:8]


def _node(found: Mapping[str, Any]) -> Node | None:
    """A node as Ray lists it, if it is there and works."""
    has = found["Resources"]
    node = Node(
        found["NodeID"],
        f"{found['NodeManagerAddress']} ({found['NodeID'][:8]})",
        int(has.get("CPU", 0)),
        int(has.get("GPU", 0)),
    )
    return node if found["Alive"] and (node.cpus or node.gpus) else None


def _at_once(nodes: Sequence[Node], settings: Settings) -> int:
    """How many tasks run at a time on CPUs."""
    return settings.workers or sum(node.cpus for node in nodes)


def _batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of so many items."""
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch


def _put(ray: Any, plan: Plan) -> Any:
    """Ray's reference to a plan.

    Raises:
        ModelError: a plug-in cannot be sent.
    """
    try:
        return ray.put(plan)
    except (TypeError, AttributeError, ValueError) as error:  # as pickle and classes of anybody raise them
        names = few([name for name, spec in plan.specs.items() if spec.plugin is not None])
        raise ModelError(f"the metrics {names} cannot be sent to other nodes: {said(error)[:200]}") from error


def _modules(specs: Iterable[EncoderSpec]) -> tuple[str, ...]:
    """The packages of plug-ins, whose code nodes find for themselves; that of the program itself travels."""
    named = {type(spec.plugin).__module__.partition(".")[0] for spec in specs if spec.plugin is not None}
    return tuple(sorted(named - {"__main__", "nearid_cli"}))


def _give_up(ray: Any, running: Iterable[Any]) -> None:
    """Let nobody go on with what nobody waits for."""
    for reference in running:
        ray.cancel(reference, force=True)


def _path(content: Content) -> Path | None:
    """The file of a picture, if it is one."""
    source = content.source if isinstance(content, GivenPicture) else None
    if isinstance(source, Masked):
        source = source.source
    return source if isinstance(source, Path) else None


def _as_seen_here(path: Path, place: int, outcome: Identified, node: str, stamps: Stamps) -> Identified:
    """What a node found of a file, in this machine's words.

    Raises:
        StarvedError: this machine is at fault.
        MachineError: the node is.
    """
    try:
        if not isinstance(outcome, str):
            state, digest = outcome
            here = FileState.of(path, stamps.look(path))
            if (here.size, here.mtime_ns) == (state.size, state.mtime_ns):
                return here, digest
        own = digest_or_reason(
            path
        )  # it has changed since, or is another one there, which its digest will tell
    except OSError as error:
        if not is_transient(error):
            return why_unreadable(path, error)
        raise StarvedError(place) from error
    if isinstance(outcome, str) and not isinstance(own, str):
        raise _blind(node, str(path), outcome)
    return own


def _confirmed(
    digest: bytes, content: Content, error: UnreadableImage, node: str, plan: Plan
) -> UnreadableImage:
    """Why a picture cannot be used that a node could not open, by this machine.

    Raises:
        StarvedError: this machine is at fault.
        MachineError: the node is.
    """
    halve = any(spec.fast for spec in plan.specs.values())
    try:
        content.open(plan.settings.max_pixels, plan.settings.reading, (lambda _: True) if halve else None)
    except UnreadableImage as own:
        return own
    except (OSError, MemoryError) as own:
        raise StarvedError(digest) from own
    raise _blind(node, content.name, error.reason)


def _blind(node: str, name: str, reason: str) -> MachineError:
    return MachineError(
        f"node {node} cannot use {printable(name)} ({reason}), which this machine can: {_EVERYWHERE}; "
        "what was embedded is kept"
    )


def _one_by_one(chunk: Chunk, contents: Mapping[bytes, Content], lost: LostError) -> list[Chunk]:
    """Pictures that ended their process, or came with one that did, to be prepared each for itself.

    Raises:
        MachineError: it is a single one.
    """
    if len(chunk.digests) == 1:
        raise _ended("preparing", [contents[chunk.digests[0]].name], lost) from lost
    return [Chunk([digest], chunk.tries) for digest in chunk.digests]


def _ended(doing: str, names: Sequence[str], lost: LostError) -> MachineError:
    return MachineError(
        f"{doing} {few(names)} ended its process in each of {RETRIES + 1} tries ({lost}); what was done is kept; "
        "leave such pictures out, or see whether nodes have too little memory, and run again"
    )
