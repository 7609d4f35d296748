"""The data set of google/dreambooth, and the data and samples of DreamBench++ (yuangpeng/dreambench_plus)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from nearid_cli.layouts.folders import by_folder
from nearid_cli.layouts.found import Found, SeveralMethodsError, own_name, picture, stem
from nearid_cli.layouts.matching import loose_key
from nearid_cli.layouts.walk import Walk, walk
from nearid_cli.text import count, printable, quoted

_ENTRY = re.compile(r"(.*?[_-][0-9]+)(?:[_-].*)?", re.DOTALL)


def find_dreambooth(root: Path, _: Callable[[], Walk]) -> Found | None:
    """The subjects of google/dreambooth, given the repository or its `dataset` folder."""
    for below in ("", "dataset"):
        if (root / below / "prompts_and_classes.txt").is_file():
            return by_folder(root, walk(root, below), "dreambooth", below)
    return None


def find_dreambench_data(root: Path, _: Callable[[], Walk]) -> Found | None:
    """The subjects of DreamBench++, one a picture, given its `data` folder or the `images` in it.

    A subject is named as in the benchmark's samples: `<category>_<NN>_<subject>`, where the subject
    is the first line of its caption file. Without a caption file the name ends after the number.
    """
    if (root / "images").is_dir() and (root / "captions").is_dir():
        below, captions = "images", root / "captions"
    elif own_name(root) == "images" and (root / ".." / "captions").is_dir():
        below, captions = "", root / ".." / "captions"
    else:
        return None
    walked = walk(root, below)
    found = Found(root, "dreambench++", left_out=walked.left_out, keys=(loose_key, entry_key))
    for name in walked.names:
        inner = name[len(below) + 1 :] if below else name
        categories, number = inner.split("/")[:-1], stem(inner)
        if not (categories and number.isdecimal()):
            return None
        subject = _entry_name(categories, number, captions)
        found.subjects.setdefault(subject, []).append(picture(root, name))
    return found


def _entry_name(categories: list[str], number: str, captions: Path) -> str:
    names = list(categories)
    if names in (["animal"], ["human"]):  # the benchmark says live_subject in samples however data is nested
        names.insert(0, "live_subject")
    caption = captions.joinpath(*categories, f"{number}.txt")
    if caption.is_file():
        lines = caption.read_text("utf-8", "replace").splitlines()
        if lines and lines[0].strip():
            return "_".join([*names, number, *lines[0].lower().split()])
    return "_".join([*names, number])


def entry_key(name: str) -> str:
    """What names one picture of DreamBench++: category and number, without the subject.

    >>> entry_key("object_00_red_bag") == entry_key("object_00")
    True
    """
    match = _ENTRY.fullmatch(name)
    return loose_key(match[1] if match else name)


def find_sources(root: Path, _: Callable[[], Walk]) -> Found | None:
    """The references among the samples that DreamBench++ writes for one method."""
    return _find_samples(root, "src_image")


def find_targets(root: Path, _: Callable[[], Walk]) -> Found | None:
    """The generations among the samples that DreamBench++ writes for one method."""
    return _find_samples(root, "tgt_image")


def refuse_methods(root: Path, walked: Walk, side: str) -> None:
    """DreamBench++ writes `samples/<method>/tgt_image/...`: one of the methods must be given.

    Raises:
        SeveralMethodsError: `root` holds such methods.
    """
    methods = {name.partition("/tgt_image/")[0] for name in walked.names if "/tgt_image/" in name}
    if methods:
        shown = sorted(methods)
        raise SeveralMethodsError(
            f"{side} folder {printable(root)} holds the DreamBench++ samples of "
            f"{count(len(shown), 'method')}: {', '.join(map(printable, shown))}; "
            f"give one of them, for example {printable(root / shown[0])}; for all: nearid compare {quoted(root)}"
        )


def _find_samples(root: Path, side: str) -> Found | None:
    """One side of the samples that DreamBench++ writes for one method.

    Args:
        root: the method's folder, or `side` in it.
        side: `src_image` for references, `tgt_image` for generations.
    """
    if is_method(root):
        below, method = side, own_name(root)
    elif own_name(root) == side:
        below, method = "", own_name(root / os.pardir)
    else:
        return None
    found = by_folder(root, walk(root, below), "dreambench++-samples", below)
    if not found.subjects and not below:
        return None  # a flat folder that only shares the name
    for subject, pictures in found.subjects.items():
        found.subjects[subject] = [
            picture(root, one.name, method, *_prompt_and_image(stem(one.name))) for one in pictures
        ]
    return found


def is_method(root: Path) -> bool:
    """Whether a folder holds the DreamBench++ samples of one method."""
    return (root / "src_image").is_dir() and (root / "tgt_image").is_dir()


def _prompt_and_image(file_stem: str) -> tuple[str | None, str | None]:
    prompt, _, image = file_stem.partition("_")
    return (prompt, image) if prompt.isdecimal() and image.isdecimal() else (None, None)
