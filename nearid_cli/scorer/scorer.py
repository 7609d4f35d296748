"""`nearid_cli.Scorer`: pictures as a program makes them, and in the end the result of `nearid_cli.score`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from nearid_cli.api import Metrics, check, read_options, read_texts, shown, warned
from nearid_cli.breakdown.labels import read_breakdowns
from nearid_cli.encoders.host import host_untouched
from nearid_cli.errors import InputError, UsageError
from nearid_cli.evaluate.embedding import refuse_bad
from nearid_cli.evaluate.remembering import RememberingJob, bad_ones
from nearid_cli.evaluate.score import generations_of, score_datasets
from nearid_cli.layouts.dataset import Picture
from nearid_cli.layouts.find import find
from nearid_cli.layouts.given import (
    GIVEN,
    is_list,
    memory_name,
    name_below,
    read_pictures,
    read_side,
    shared_folder,
    shown_subjects,
    source_of,
)
from nearid_cli.layouts.names import composed
from nearid_cli.layouts.reach import Reach
from nearid_cli.layouts.sides import Assigned
from nearid_cli.options import Leniency, OptionArguments
from nearid_cli.results import ScoreResult
from nearid_cli.results.score import memory_root
from nearid_cli.scorer.processes import gathered, processes
from nearid_cli.scorer.state import Generation, State, check_same
from nearid_cli.text import count, natural_key, printable

if TYPE_CHECKING:
    from nearid_cli.layouts.given import ManyPictures

    Each = str | int | float | None
    Texts = Each | Sequence[Each]

_RESERVED = ("subject", "prompt", "seed")


class Scorer:
    """Scores the generations of a program as it makes them, such as the validation pictures of a training.

    References are embedded when it is made, generations by `update`; both may change or go away after that. The program
    does not feel it: random numbers, gradients, default dtype, precision and threads stay as they are.

    Args:
        metrics: as in `--metric`; of those that embed pictures (or, as CLIP-T, pictures and prompts).
        references: the real pictures of each subject, by its name: a list of paths, PIL images, uint8 arrays
            [height, width, 3] and tensors [3, height, width]; or an array or tensor of several, or a folder. A list in
            place of a dict is of one subject, called `subject`.
        distractors: each subject's look-alikes, likewise.
        allow_unmatched: `compute` goes on without subjects that have no generations.
        skip_bad: go on without pictures that cannot be read.
        follow_symlinks: follow links that lead out of folders.
        **options: further fields of `nearid_cli.Options`, such as `device="cuda:1"`.

    Raises:
        NearIDError: a metric cannot be had, or needs pictures again; references are no pictures, or cannot be read.

    >>> import numpy as np
    >>> black, white = np.zeros((32, 32, 3), np.uint8), np.full((32, 32, 3), 255, np.uint8)
    >>> scorer = Scorer("hog", {"night": [black]}, use_cache=False)
    >>> scorer.update([white, white], prompt="a bright night", seed=[1, 2])
    >>> scorer.compute().aggregate["hog"].score
    0.0
    """

    def __init__(
        self,
        metrics: Metrics,
        references: Mapping[str, ManyPictures] | ManyPictures,
        *,
        distractors: Mapping[str, ManyPictures] | ManyPictures | None = None,
        allow_unmatched: bool = False,
        skip_bad: bool = False,
        follow_symlinks: bool = False,
        **options: Unpack[OptionArguments],
    ) -> None:
        self._options = read_options(Scorer, metrics, options)
        check("follow_symlinks", follow_symlinks, bool)
        reach = Reach(follow_symlinks=follow_symlinks)
        check("allow_unmatched", allow_unmatched, bool)
        check("skip_bad", skip_bad, bool)
        self._leniency = Leniency(allow_unmatched=allow_unmatched, skip_bad=skip_bad)
        self._references = _read(references, "references", reach)
        self._distractors = None if distractors is None else _read(distractors, "distractors", reach)
        with host_untouched():
            self._job = RememberingJob(self._options)
            self._known = self._take_references()
        self._beside = self._job.vectors  # reset() goes back to these
        self._job = self._job.over(self._beside)
        self._generations: list[Generation] = []

    @property
    def subjects(self) -> list[str]:
        """The names of the subjects."""
        return list(self._references.subjects)

    def update(
        self,
        generations: ManyPictures,
        subject: str | Sequence[str] | None = None,
        *,
        prompt: Texts = None,
        seed: Texts = None,
        labels: Mapping[str, Texts] | None = None,
    ) -> None:
        """Take some generations, embed them and let them go.

        Args:
            generations: one picture or several: paths, PIL images, uint8 arrays [height, width, 3] or
                [N, height, width, 3], tensors [3, height, width] or [N, 3, height, width] of uint8 or of floats from
                0 to 1. A float x is taken as the nearest whole number to 255 x.
            subject: whose they are, or whose each is; None if there is one subject.
            prompt: what they were made of, or each was.
            seed: likewise.
            labels: whatever else is to be known of them, by name: of all, or a list for each.

        Raises:
            UsageError: something is no picture, a subject has no references, or a list has another length.
            InputError: there are no pictures, or files that do not exist.
            BadImagesError: pictures that cannot be read, all of them named; none of this call counts then.
            ModelError: a metric cannot be loaded, or fails.
        """
        pictures = read_pictures(generations, "generations")
        number = len(pictures)
        subjects = self._whose(subject, number)
        prompts = _spread(prompt, number, "prompt")
        seeds = _spread(seed, number, "seed")
        named = _labels(labels, number)
        with host_untouched():
            taken = self._job.take([source_of(one) for one in pictures])
        if not self._leniency.skip_bad:
            refuse_bad(bad_ones(taken), number)
        for place, (one, picture) in enumerate(zip(pictures, taken, strict=True)):
            own = None if one.in_memory else one.place
            self._generations.append(
                Generation(
                    subject=subjects[place],
                    picture=picture,
                    path=own,
                    file=None if own is None else os.path.abspath(own),  # noqa: PTH100 - textual, as the memo does it
                    prompt=prompts[place],
                    seed=seeds[place],
                    labels={name: text for name, of in named.items() if (text := of[place]) is not None},
                )
            )

    def compute(self, *, by: str | Iterable[str] = (), gather: bool | None = None) -> ScoreResult:
        """The result of all generations so far, as `nearid_cli.score` gives it for the same pictures and prompts.

        Args:
            by: labels that the result is broken down by, as for `nearid_cli.score`.
            gather: score the generations of all processes together, the same in each: then every process must call
                this. None does so where `torch.distributed` has joined several; False scores those of this process.

        Raises:
            InputError: no generations yet, or none of a subject unless `allow_unmatched`.
            UsageError: processes have other metrics or references; or no generation has such a label.
        """
        labels = read_texts("by", by)
        together = processes() > 1 if gather is None else gather
        with host_untouched():
            scorer = self._gathered() if together else self
            return warned(scorer._score(labels))

    def reset(self) -> None:
        """Forget all generations. References stay embedded, and models loaded."""
        self._generations = []
        self._job = self._job.over(self._beside)

    def state(self) -> bytes:
        """All generations so far, embedded, as bytes to keep or to send: see `merge`."""
        return self._state(with_references=False).pack()

    def merge(self, other: Scorer | bytes) -> None:
        """Take the generations of another scorer, or of what its `state()` gave, behind one's own.

        Raises:
            UsageError: it has other metrics or other references.
            InputError: the bytes are no state.
        """
        if isinstance(other, Scorer):
            found = other._state(with_references=False)
        elif isinstance(other, bytes | bytearray):
            found = State.unpack(bytes(other))
        else:
            raise UsageError(f"merge: expected a Scorer or the bytes of its state(), found {shown(other)}")
        check_same((self._job.encoders, self._known), found, "the other Scorer")
        self._add(found)

    def __getstate__(self) -> dict[str, Any]:
        kept = dict(vars(self))
        kept["_job"] = kept["_job"].kept()
        return kept

    def __setstate__(self, kept: dict[str, Any]) -> None:
        vars(self).update(kept)
        with host_untouched():
            self._job = RememberingJob.again(self._options, kept["_job"])

    def _take_references(self) -> dict[str, list[str | None]]:
        """Embed references and distractors, and let go those in memory; returns their digests by subject."""
        sides = [self._references, *([] if self._distractors is None else [self._distractors])]
        pictures = [one for side in sides for one in side.pictures()]
        taken = self._job.take([source_of(one) for one in pictures], known_by_path=True)
        if not self._leniency.skip_bad:
            refuse_bad(bad_ones(taken), len(pictures))
        let_go = {id(one): picture for one, picture in zip(pictures, taken, strict=True)}
        known: dict[str, list[str | None]] = {}
        for side in sides:
            for name, own in side.subjects.items():
                digests = [let_go[id(one)].digest for one in own]
                known.setdefault(name, []).extend(None if one is None else one.hex() for one in digests)
                own[:] = [replace(one, in_memory=let_go[id(one)]) if one.in_memory else one for one in own]
        return known

    def _whose(self, subject: object, number: int) -> list[str]:
        """The subject of each of several pictures."""
        if subject is None:
            if len(self.subjects) > 1:
                raise UsageError(
                    f"subject: the references are of {shown_subjects(self.subjects)}; say whose the pictures are"
                )
            return self.subjects * number
        names = _spread(subject, number, "subject", kinds=(str,))
        ours = {composed(name): name for name in self.subjects}
        ours |= {name: name for name in self.subjects}
        means = {name: ours.get(name, ours.get(composed(name))) for name in names if name is not None}
        strange = [name for name, subject in means.items() if subject is None]
        if strange:
            names_of_all = ", ".join(f'"{printable(str(name))}"' for name in strange)
            raise UsageError(
                f"subject: no references of {names_of_all}; they are of {shown_subjects(self.subjects)}"
            )
        return [str(means[name]) for name in names if name is not None]

    def _state(self, *, with_references: bool) -> State:
        digests = {one.picture.digest for one in self._generations if one.picture.digest is not None}
        vectors = self._job.vectors.of(digests)
        if with_references:
            vectors.add(self._beside.rows, self._beside.absent)
        encoders = {spec.name: spec.fingerprint for spec in self._job.encoders}
        return State(encoders, self._known, list(self._generations), vectors)

    def _add(self, state: State) -> None:
        self._generations.extend(state.generations)
        self._job.vectors.add(state.vectors.rows, state.vectors.absent)

    def _gathered(self) -> Scorer:
        """One with the generations of all processes, and the references as the first of them embedded them.

        On other machines pictures may come out with other last bits; so all processes score the same vectors.
        """
        rank_0, *_ = states = [
            State.unpack(one) for one in gathered(self._state(with_references=True).pack())
        ]
        for rank, state in enumerate(states):
            check_same((self._job.encoders, self._known), state, f"process {rank}")
        whole = Scorer.__new__(Scorer)  # no copy, which would find the metrics anew
        vars(whole).update(vars(self))
        whole._generations = []
        whole._job = self._job.over(rank_0.vectors)
        for state in states:
            whole._add(state)
        return whole

    def _score(self, by: Sequence[str]) -> ScoreResult:
        if not self._generations:
            raise InputError("no generations yet: give some with update(pictures, subject=...)")
        by_subject = _by_subject(self._generations)
        lacking = [name for name in self.subjects if name not in by_subject]
        if lacking and not self._leniency.allow_unmatched:
            raise InputError(
                f"no generations of {shown_subjects(lacking)}; update with some, or go on without these: "
                "allow_unmatched=True"
            )
        dataset = find(self._references, _named(by_subject), distractors=self._distractors)
        breakdowns = read_breakdowns(by, generations_of([dataset]))
        scored = score_datasets(
            {"": dataset}, self._options, self._leniency, breakdowns=breakdowns, job=self._job
        )
        return scored[""]


def _read(value: Any, parameter: str, reach: Reach) -> Assigned:
    """References or distractors by subject."""
    side = read_side(value, parameter, reach=reach)
    if isinstance(side, Path):
        raise UsageError(
            f"{parameter}: expected a dict of pictures by subject, found the path {printable(side)}; of a folder of "
            "subjects: {folder.name: folder for folder in Path(...).iterdir()}"
        )
    return replace(side, subjects={"subject": side.loose}, loose=[]) if is_list(side) else side


def _spread(
    value: Any, number: int, parameter: str, kinds: tuple[type, ...] = (str, int, float)
) -> list[str | None]:
    """One text, or a list of them, as one for each of so many pictures."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or isinstance(value, kinds):
        texts = [value] * number
    elif isinstance(value, Sequence):
        texts = [one.item() if hasattr(one, "item") else one for one in value]
    else:
        texts = [value]
    optional = kinds if kinds == (str,) else (*kinds, type(None))
    for one in texts if value is not None else ():
        if not isinstance(one, optional) or isinstance(one, bool):
            raise UsageError(f"{parameter}: expected a text, or one for each picture, found {shown(one)}")
    if len(texts) != number:
        raise UsageError(
            f"{parameter}: expected one for all or one for each of {count(number, 'picture')}, found {len(texts):,}"
        )
    return [None if one is None else str(one) for one in texts]


def _labels(labels: Any, number: int) -> dict[str, list[str | None]]:
    if labels is None:
        return {}
    check("labels", labels, Mapping)
    for name in labels:
        if not isinstance(name, str) or not name or name in _RESERVED:
            raise UsageError(f"labels: expected names other than {', '.join(_RESERVED)}, found {shown(name)}")
    return {name: _spread(value, number, f'labels["{printable(name)}"]') for name, value in labels.items()}


def _by_subject(generations: Iterable[Generation]) -> dict[str, list[Generation]]:
    found: dict[str, list[Generation]] = {}
    for one in generations:
        found.setdefault(one.subject, []).append(one)
    return found


def _named(by_subject: Mapping[str, Sequence[Generation]]) -> Assigned:
    """The generations as `read_side` names them: files by their paths below the folder that they share, in its order.

    A file with the same content counts once with a subject, as in a list of paths: samplers repeat the last rows to
    fill a batch. One that was written over meanwhile, or has another prompt, seed or label, is another generation,
    `0.png (2)`. Pictures in memory come after the files, numbered in the order in which they came.
    """
    memory = memory_root("generations")
    root = shared_folder(Path(one.path) for own in by_subject.values() for one in own if one.path is not None)
    side = Assigned(root or Path(memory), GIVEN)
    for subject, own in by_subject.items():
        files: list[Picture] = []
        held: list[Picture] = []
        contents: dict[str, list[Generation]] = {}
        for number, one in enumerate(own):
            if one.path is None or one.file is None:
                held.append(_picture(one, memory_name(memory, subject, number)))
                continue
            name = name_below(root, Path(one.path))
            known = contents.setdefault(one.file, [])
            if any(_same(one, other) for other in known):
                side.left_out.add("repeated paths", one.path)
                continue
            known.append(one)
            files.append(_picture(one, name if len(known) == 1 else f"{name} ({len(known)})"))
        side.subjects[subject] = [*sorted(files, key=lambda one: natural_key(one.name)), *held]
    return side


def _same(one: Generation, other: Generation) -> bool:
    """Whether what is given as one file is one generation."""
    a, b = ((own.picture.digest, own.prompt, own.seed, own.labels) for own in (one, other))
    return a == b


def _picture(one: Generation, name: str) -> Picture:
    return Picture(
        Path(name if one.path is None else one.path),
        name,
        prompt=one.prompt,
        seed=one.seed,
        labels=one.labels,
        in_memory=one.picture,
    )
