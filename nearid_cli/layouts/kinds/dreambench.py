"""DreamBench++ (yuangpeng/dreambench_plus): `dreambench++`, its data, and `dreambench++-samples`, those of a method."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nearid_cli.layouts.layout import Layout
from nearid_cli.text import count, few, printable, quoted

if TYPE_CHECKING:
    from nearid_cli.layouts.dataset import Picture
    from nearid_cli.layouts.reach import Reach
    from nearid_cli.layouts.sides import Assigned, Tree
    from nearid_cli.layouts.walk import Look

_ENTRY = r"(.*?[_-][0-9]+)(?:[_-].*)?"
_CATEGORY = re.compile(r"(?:live_subject[_-])?(object|animal|human|style)[_-][0-9]+(?![0-9]).*", re.DOTALL)
_PROMPT_KINDS = (*["photorealistic"] * 4, *["style_transfer"] * 3, *["imaginative"] * 2)
"""What the prompts of a subject ask for, by their numbers, as the benchmark's own tables call it."""
_SOURCES, _TARGETS, _TEXTS = "src_image", "tgt_image", "text"


class _DreamBench(Layout):
    name = "dreambench++"
    place = 50
    references_are = "the DreamBench++ data"
    expected = "images/<category>/<NN>.jpg and captions/ in it"
    must = ("references",)

    def find_references(self, look: Look) -> Assigned | None:
        """The subjects, one a picture, given the `data` folder or the `images` in it.

        A subject is named as in the benchmark's samples: `<category>_<NN>_<subject>`, where the subject
        is the first line of its caption file. Without a caption file the name ends after the number.
        """
        from nearid_cli.layouts.dataset import Picture
        from nearid_cli.layouts.names import own_name, stem
        from nearid_cli.layouts.sides import Assigned

        root = look.root
        if (root / "images").is_dir() and (root / "captions").is_dir():
            below, captions = "images", root / "captions"
        elif own_name(root) == "images" and (root / ".." / "captions").is_dir():
            below, captions = "", root / ".." / "captions"
        else:
            return None
        walked = look.below(below)
        found = Assigned(root, self, left_out=walked.left_out, keys=(_entry_key,))
        for name in walked.names:
            inner = name[len(below) + 1 :] if below else name
            categories, number = inner.split("/")[:-1], stem(inner)
            if not (categories and number.isdecimal()):
                return None
            subject = _entry_name(categories, number, captions, look)
            one = Picture.at(root, name, labels={"category": categories[-1]})
            found.subjects.setdefault(subject, []).append(one)
        return found


class _Samples(Layout):
    name = "dreambench++-samples"
    place = 40
    references_are = "`src_image/`, or plain folders"
    generations_are = "`tgt_image/`"
    expected = "src_image/ and tgt_image/ in it"
    must = ("generations",)

    def find_references(self, look: Look) -> Assigned | None:
        return self._find(look, _SOURCES)

    def find_generations(self, look: Look) -> Assigned | None:
        return self._find(look, _TARGETS)

    def holds_both(self, root: Path) -> bool:
        return (root / _SOURCES).is_dir() and (root / _TARGETS).is_dir()

    def refuse_several(self, tree: Tree, side: str) -> None:
        from nearid_cli.layouts.sides import SeveralMethodsError

        within = f"/{_TARGETS}/"
        methods = sorted({name.partition(within)[0] for name in tree.names if within in name})
        if methods:
            raise SeveralMethodsError(
                f"{side} folder {printable(tree.root)} holds the DreamBench++ samples of "
                f"{count(len(methods), 'method')}: {', '.join(map(printable, methods))}; "
                f"give one of them, for example {printable(tree.root / methods[0])}; for all: nearid compare "
                f"{quoted(tree.root)}"
            )

    def _find(self, look: Look, side: str) -> Assigned | None:
        """One side, given the method's folder or that of the side in it."""
        from nearid_cli.layouts.dataset import Picture
        from nearid_cli.layouts.names import own_name, stem

        root = look.root
        if self.holds_both(root):
            below, method, texts = side, own_name(root), root / _TEXTS
        elif own_name(root) == side:
            below, method, texts = "", own_name(root / ".."), root / ".." / _TEXTS
        else:
            return None
        found = look.below(below).by_folder(self, below)
        if not found.subjects and not below:
            return None  # a flat folder that only shares the name
        for subject, pictures in found.subjects.items():
            pictures[:] = [
                Picture.at(
                    root,
                    one.name,
                    method,
                    prompt,
                    image,
                    labels_of_names(subject, prompt if side == _TARGETS else None),
                )
                for one in pictures
                for prompt, image in [_prompt_and_image(stem(one.name))]
            ]
        if side == _TARGETS and texts.is_dir():
            for subject, pictures in found.subjects.items():
                pictures[:] = _with_texts(pictures, texts / subject, found.notes, look.reach)
        return found


DATA, SAMPLES = _DreamBench(), _Samples()


def _entry_name(categories: list[str], number: str, captions: Path, look: Look) -> str:
    names = list(categories)
    if names in (["animal"], ["human"]):  # the benchmark says live_subject in samples however data is nested
        names.insert(0, "live_subject")
    caption = captions.joinpath(*categories, f"{number}.txt")
    if caption.is_file():
        lines = look.opened(caption).decode("utf-8", "replace").splitlines()
        if lines and lines[0].strip():
            return "_".join([*names, number, *lines[0].lower().split()])
    return "_".join([*names, number])


def _entry_key(name: str) -> str:
    """What names one picture of DreamBench++: category and number, without the subject.

    >>> _entry_key("object_00_red_bag") == _entry_key("object_00")
    True
    """
    from nearid_cli.layouts.matching import loose_key

    match = re.fullmatch(_ENTRY, name, re.DOTALL)
    return loose_key(match[1] if match else name)


def _with_texts(pictures: Sequence[Picture], folder: Path, notes: list[str], reach: Reach) -> list[Picture]:
    """The pictures of a subject with the texts of their prompts; the number of a prompt becomes a label.

    Pictures of one prompt have a file of its text each, of which one will do.

    Args:
        pictures: with numbers as prompts.
        folder: of the subject's texts.
        notes: gets a line about files that hold something else.
        reach: where files may lead that are links.
    """
    from nearid_cli.layouts.captions import NoPromptError, read_prompt
    from nearid_cli.layouts.names import stem

    texts: dict[str, str] = {}
    unread: list[str] = []
    own: dict[str, str] = {}
    for one in pictures:
        file = folder / f"{stem(one.name)}.txt"
        if one.prompt is None or not file.is_file():
            continue
        try:
            own[one.name] = read_prompt(file, reach)
            texts.setdefault(one.prompt, own[one.name])
        except NoPromptError as error:
            unread.append(f"{file.name} ({error})")
    if unread:
        place = f"{_TEXTS}/{folder.name}"
        notes.append(
            f"{count(len(unread), 'file')} of {printable(place)} without a prompt in it: {few(unread)}"
        )
    return [
        replace(
            one,
            prompt=text,
            prompt_from=f"{_TEXTS}/",
            labels={**one.labels, "prompt_number": one.prompt},
        )
        if one.prompt is not None and (text := own.get(one.name, texts.get(one.prompt))) is not None
        else one
        for one in pictures
    ]


def labels_of_names(subject: str, prompt: str | None) -> dict[str, str]:
    """What the names of a subject and of a prompt say.

    >>> labels_of_names("live_subject_animal_00_kitten", "5"), labels_of_names("my dog", None)
    ({'category': 'animal', 'prompt_kind': 'style_transfer'}, {})
    """
    category = _CATEGORY.fullmatch(subject)
    labels = {"category": category[1]} if category else {}
    if prompt is not None and int(prompt) < len(_PROMPT_KINDS):
        labels["prompt_kind"] = _PROMPT_KINDS[int(prompt)]
    return labels


def _prompt_and_image(file_stem: str) -> tuple[str | None, str | None]:
    prompt, _, image = file_stem.partition("_")
    return (prompt, image) if prompt.isdecimal() and image.isdecimal() else (None, None)
