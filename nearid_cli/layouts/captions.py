"""Text files beside pictures, `0.txt` beside `0.png`: prompts, or something else that must not become one."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nearid_cli.layouts.dataset import Picture
from nearid_cli.layouts.names import composed
from nearid_cli.layouts.prompts import BESIDE, agree, is_json, said, shortened
from nearid_cli.layouts.reach import WITHIN, Reach
from nearid_cli.layouts.sides import Assigned
from nearid_cli.opening import read_start
from nearid_cli.text import count, few, printable

_EXTENSION = ".txt"
_LONGEST = 2000  # characters
_MOST_BYTES = 4 * _LONGEST
_HALF = 0.5
_A_SENTENCE = 3  # words
# What Stable Diffusion web UIs write below a prompt.
_PARAMETERS = re.compile(r"(?:^|\n)(?:Negative prompt:|Steps: \d+,).*", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LOG = re.compile(r"\W*\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_SETTING = re.compile(r"[\w.-]+( [\w.-]+)?[:=]\s*[-+\d.eE%]+")


class NoPromptError(Exception):
    """A text is no prompt; the message says what it is in a word or two."""


def read_prompt(file: Path, reach: Reach = WITHIN) -> str:
    """The prompt in a text file.

    Args:
        file: itself.
        reach: where it may lead, if it is a link.

    Raises:
        NoPromptError: it holds something else.
    """
    if not reach.opens(file):
        raise NoPromptError("a link that leads elsewhere")
    try:
        content = read_start(file, _MOST_BYTES + 1)
    except OSError as error:
        raise NoPromptError((error.strerror or "unreadable").lower()) from error
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise NoPromptError("too long" if len(content) > _MOST_BYTES else "not UTF-8") from error
    if not text:
        raise NoPromptError("empty")
    if _CONTROL.search(text):
        raise NoPromptError("binary")
    prompt = _PARAMETERS.sub("", text).strip()
    return _checked(text if prompt == text else " ".join(prompt.split()))


def _checked(text: str) -> str:
    """A text that looks like a prompt.

    Raises:
        NoPromptError: it looks like something else.
    """
    if len(text) > _LONGEST:
        raise NoPromptError("too long")
    if len(text.splitlines()) > 1:
        raise NoPromptError("several lines")
    if not any(map(str.isalpha, text)):
        raise NoPromptError("no words")
    if is_json(text):
        raise NoPromptError("JSON")
    if _LOG.match(text):
        raise NoPromptError("a log")
    if _SETTING.fullmatch(text):
        raise NoPromptError("a setting")
    if not any(map(str.isspace, text)) and re.search(r"[/\\]", text):
        raise NoPromptError("a path")
    return text


@dataclass
class _TextFiles:
    """The text files beside the pictures of a side, by the names of the pictures.

    Attributes:
        files: names of the files.
        prompts: those that are prompts.
        others: what the others are, by the name of the file.
    """

    files: dict[str, str] = field(default_factory=dict)
    prompts: dict[str, str] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)


def with_prompts_beside(
    side: Assigned, subject_of: Callable[[Picture], str | None], reach: Reach
) -> Assigned:
    """Generations with the prompts in text files beside them: `0.txt` beside `0.png`.

    The files of a side are prompts, or none is: they are something else where fewer than half of them can be prompts,
    or where one word or two stand beside all pictures of several subjects. What holds is in the notes. A manifest says
    everything: nothing is looked for beside its pictures.

    Args:
        side: the generations.
        subject_of: whose a picture is that the side gives to nobody; None where that is not known.
        reach: where text files may lead that are links.
    """
    owned: list[tuple[str | None, Picture]] = [
        (name, one) for name, own in side.subjects.items() for one in own
    ]
    owned += [(subject_of(one), one) for one in side.loose]
    owned = [(name, one) for name, one in owned if one.in_memory is None]
    if side.layout.needs_manifest or not owned:
        return side
    found = _look_beside([one for _, one in owned], reach)
    if not found.files:
        return side
    if why := _something_else(found, owned):
        number = count(len(set(found.files.values())), ".txt file")
        note = f"{number} beside generations: not read as prompts, since {why}"
        return replace(side, notes=[*side.notes, note])

    notes = [*_as_remarks(found, owned), *_of_no_use(found.others)]
    if (text := _of_all(found, owned)) is not None:
        notes.append(f'the prompt of all generations is "{shortened(text)}", by the .txt files beside them')

    def prompted(pictures: Sequence[Picture]) -> list[Picture]:
        return [said(one, found.prompts.get(one.name), BESIDE) for one in pictures]

    result = replace(
        side,
        subjects={name: prompted(own) for name, own in side.subjects.items()},
        loose=prompted(side.loose),
        notes=[*side.notes, *notes],
    )
    used = {found.files[name] for name in found.prompts}
    result.left_out = result.left_out.without("other files", used)
    return result


def _look_beside(pictures: Sequence[Picture], reach: Reach) -> _TextFiles:
    """Look into each folder once, and read what stands beside its pictures."""
    found = _TextFiles()
    listed: dict[str, dict[str, str]] = {}
    read: dict[str, str | NoPromptError] = {}
    for one in pictures:
        folder, file = os.path.split(one.path)
        if folder not in listed:
            listed[folder] = _texts_in(folder)
        if not (beside := listed[folder]) or (text := beside.get(_stem(file))) is None:
            continue
        path = os.path.join(folder, text)  # noqa: PTH118
        if not os.path.isfile(path):  # noqa: PTH113 - opening a pipe would wait
            continue
        name = one.name.removesuffix(file) + text
        if path not in read:
            try:
                read[path] = read_prompt(Path(path), reach)
            except NoPromptError as error:
                read[path] = error
        found.files[one.name] = name
        if isinstance(content := read[path], NoPromptError):
            found.others[name] = str(content)
        else:
            found.prompts[one.name] = content
    return found


def _texts_in(folder: str) -> dict[str, str]:
    """The text files in a folder, by their names without the extension."""
    try:
        names = os.listdir(folder or ".")  # noqa: PTH208
    except OSError:
        return {}
    return {_stem(name): name for name in names if name[-len(_EXTENSION) :].lower() == _EXTENSION}


def _stem(file: str) -> str:
    """A name without the extension, in one Unicode form: systems spell the names of files in theirs."""
    return composed(file.rpartition(".")[0] or file)


def _something_else(found: _TextFiles, owned: Sequence[tuple[str | None, Picture]]) -> str | None:
    """Why text files beside pictures are no prompts; None if they are."""
    if len(found.prompts) < _HALF * len(found.files):
        kinds = dict.fromkeys(found.others.values())
        return f"most are something else ({', '.join(kinds)}): {few(list(found.others))}"
    text = _of_all(found, owned)
    if text is not None and len(text.split()) < _A_SENTENCE:
        return (
            f'all say "{shortened(text)}", whatever the subject; if that is a prompt, give a manifest with it'
        )
    return None


def _of_all(found: _TextFiles, owned: Sequence[tuple[str | None, Picture]]) -> str | None:
    """The text that stands beside all pictures, of several subjects."""
    texts = set(found.prompts.values())
    subjects = {name for name, one in owned if one.name in found.prompts}
    return texts.pop() if len(texts) == 1 and len(subjects) > 1 else None


def _as_remarks(found: _TextFiles, owned: Sequence[tuple[str | None, Picture]]) -> Iterator[str]:
    """Texts beside fewer than half of the pictures may be remarks: they give way to names, and a note says so."""
    if len(found.prompts) >= _HALF * len(owned):
        return
    of_all = f"{len(found.prompts):,} of {count(len(owned), 'generation')}"
    for _, one in owned:
        text = found.prompts.get(one.name)
        if text is not None and one.prompt is not None and not agree(one.prompt, text):
            del found.prompts[one.name]
    if found.prompts:
        name, text = next(iter(found.prompts.items()))
        yield (
            f"a .txt file stands beside {of_all} only, and is taken for the prompt: {printable(name)} is "
            f'"{shortened(text)}"'
        )


def _of_no_use(others: Mapping[str, str]) -> Iterator[str]:
    """A note of files among prompts that are none."""
    if others:
        names = few([f"{printable(name)} ({why})" for name, why in others.items()], spelled=str)
        yield f"{count(len(others), '.txt file')} beside generations without a prompt in it: {names}"
