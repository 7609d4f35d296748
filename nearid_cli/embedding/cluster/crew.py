"""The processes that run the encoders, one a GPU, or one a node where the work is done on CPUs.

Each is given two batches at a time, the second of which travels while the first is embedded. A process that ends gives
back what it had, which goes to others, and is started again where its node still is. None is given work before it has
loaded its encoders, so that one that waits for a GPU for ever keeps nobody waiting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nearid_cli.embedding.cluster.node import Embedder, Plan
from nearid_cli.errors import MachineError
from nearid_cli.text import few

if TYPE_CHECKING:
    from nearid_cli.encoders.spec import Embeddings

AT_A_TIME = 2  # batches of one process
_STARTS = 4  # of processes in one place


class LostError(Exception):
    """A process or a node ended, and with it what it did."""


@dataclass(frozen=True)
class Node:
    """A node of the cluster: Ray's id of it, its name for people, and what it has."""

    id: str
    name: str
    cpus: int
    gpus: int


@dataclass(eq=False)
class Chunk:
    """Pictures that are prepared together.

    Attributes:
        digests: theirs.
        tries: how many processes ended that had them.
        ready: where Ray keeps what is prepared.
    """

    digests: list[bytes]
    tries: int = 0
    ready: Any = None


@dataclass(eq=False)
class _Member:
    """A process on a node, and what it has to do, by Ray's references to the outcome; nothing until it is loaded."""

    node: Node
    process: Any
    loading: Any
    loaded: bool = False
    work: dict[Any, list[Chunk]] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """What came of something.

    Attributes:
        rows: by encoder, digests and embeddings [N, D].
        lost: pictures that are to be prepared again.
    """

    rows: Mapping[str, tuple[list[bytes], Embeddings]] = field(default_factory=dict)
    lost: Sequence[Chunk] = ()


class Crew:
    """See the module.

    Args:
        ray: the module.
        plan: of the job.
        shared: Ray's reference to it.
        nodes: of the cluster.
    """

    def __init__(self, ray: Any, plan: Plan, shared: Any, nodes: Sequence[Node]) -> None:
        self._ray = ray
        self._plan = plan
        self._shared = shared
        self._starts = Counter[str]()
        self._members: list[_Member] = []
        for node in nodes:
            for _ in range(node.gpus if plan.settings.device == "cuda" else node.cpus > 0):
                self._start(node)

    def __len__(self) -> int:
        """How many processes there are."""
        return len(self._members)

    def under_way(self, wanted: bool) -> list[Any]:
        """References to what is; without processes that are not loaded yet, if nobody wants more of them."""
        return [
            reference
            for member in self._members
            for reference in (member.work if member.loaded else [member.loading] * wanted)
        ]

    def give(self, ready: list[Chunk], together: int, more: bool) -> None:
        """Give prepared pictures to whoever is free, and take them from the list.

        Args:
            ready: they.
            together: how many chunks make a batch.
            more: whether more will come: then a batch that is not full waits, unless somebody has nothing to do.
        """
        for member in sorted(self._members, key=lambda member: len(member.work)):
            while member.loaded and ready and len(member.work) < AT_A_TIME:
                if more and member.work and len(ready) < together:
                    break
                batch, ready[:] = ready[:together], ready[together:]
                outcome = member.process.embed.remote(*(chunk.ready for chunk in batch))
                member.work[outcome] = batch

    def done(self, reference: Any) -> Done:
        """What came of something that is not under way any more.

        Raises:
            ModelError: an encoder cannot be loaded, or fails.
            MachineError: nobody is left, or pictures ended several processes.
        """
        member = next(one for one in self._members if reference in one.work or reference == one.loading)
        try:
            outcome = got(self._ray, reference)
        except LostError as lost:
            return Done(lost=self._lost(member, lost))
        if not member.loaded:
            member.loaded = True
            return Done()
        del member.work[reference]
        return Done(outcome)

    def dismiss(self) -> None:
        """End all processes."""
        for member in self._members:
            self._ray.kill(member.process)
        self._members = []

    def _lost(self, member: _Member, lost: LostError) -> list[Chunk]:
        """What a process had that ended; another one takes its place where it can."""
        self._members.remove(member)
        self._ray.kill(member.process)  # where it only could not be reached
        alive = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}
        chunks = [chunk for batch in member.work.values() for chunk in batch]
        for chunk in chunks:
            chunk.tries += 1
        starts = _STARTS * max(1, member.node.gpus)
        if member.node.id in alive and self._starts[member.node.id] < starts:
            self._start(member.node)
        if not self._members or any(chunk.tries >= _STARTS for chunk in chunks):
            raise MachineError(
                f"the processes that run the encoders end, the last one on node {member.node.name} ({lost}), and "
                f"{'the same pictures were there each time' if self._members else 'none is left'}; what was "
                "embedded is kept; run again when the cluster is whole, or see Ray's logs there"
            ) from lost
        return chunks

    def _start(self, node: Node) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._starts[node.id] += 1
        said = self._plan.threads
        threads = int(said) if said and said.isdecimal() else max(1, node.cpus)
        process = (
            self._ray.remote(Embedder)
            .options(
                num_cpus=0,
                num_gpus=int(self._plan.settings.device == "cuda"),
                max_restarts=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
            )
            .remote(self._shared, threads)
        )
        self._members.append(_Member(node, process, process.load.remote()))


def got(ray: Any, reference: Any) -> Any:
    """What came of work.

    Raises:
        LostError: a process or a node ended.
        Exception: what the work raised.
    """
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, Exception) and not isinstance(error.cause, ray.exceptions.RayError):
            raise error.cause from error
        raise LostError(_first_line(error.cause or error)) from error
    except ray.exceptions.RayError as error:
        raise LostError(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return few([line for line in str(error).splitlines() if line.strip()] or [type(error).__name__], 1)[:200]
