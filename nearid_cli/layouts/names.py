"""What the name of a folder or a file says: a step, a seed, a date, a phrase, or whose picture it is."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

# Folder names that say what pictures are for, or where a program puts them, and not whose they are.
GENERIC = frozenset({
    "ref", "refs", "reference", "references", "real", "src", "source", "sources", "src_image",
    "original", "originals", "input", "inputs", "instance", "instances", "instance_images",
    "instance_data", "target", "targets", "tgt_image", "data", "dataset", "datasets", "image", "images",
    "img", "imgs", "picture", "pictures", "photo", "photos", "train", "training", "test", "val",
    "valid", "validation", "eval", "evaluation", "split", "subject", "subjects", "gen", "gens",
    "generated", "generation", "generations", "fake", "fakes", "sample", "samples", "synthetic", "out",
    "output", "outputs", "result", "results", "validation_images", "validation_image",
    "validation_samples", "txt2img_images", "img2img_images", "txt2img", "img2img", "wandb", "media",
    "files", "comfyui", "edited", "checkpoint", "checkpoints", "run", "runs", "log", "logs",
    "tensorboard", "latest_run", "inference",
})  # fmt: skip
# Words that file names begin with and that are nobody's name: cameras, trainers, user interfaces.
_GENERIC_HEADS = GENERIC | frozenset({
    "dsc", "dscn", "dscf", "pic", "pxl", "mvimg", "dji", "gopr", "screenshot", "frame", "frames",
    "comfyui_temp", "untitled", "unnamed", "new", "final", "default", "class", "view", "crop", "seed",
    "step", "epoch", "iter", "tmp", "temp", "whatsapp image", "grid", "page", "scan", "sd", "sdxl",
    "flux", "prompt", "no", "nr", "number",
})  # fmt: skip
# Words that make a generic name no less so: `single_refs`, `my_images`.
_FILLERS = frozenset({
    "my", "the", "all", "new", "old", "final", "raw", "flat", "single", "multi", "text", "cropped",
    "resized", "real", "png", "jpg", "jpeg", "a", "b", "c", "v1", "v2", "0", "1", "2", "3", "copy",
    "and", "of", "for",
})  # fmt: skip
# Folders of kinds of subjects. Only a hint: a subject may be called person.
CATEGORIES = frozenset({
    "animal", "animals", "object", "objects", "person", "persons", "people", "human", "humans",
    "live_subject", "live", "live_subjects", "pet", "pets", "toy", "toys", "style", "styles", "scene",
    "scenes", "vehicle", "vehicles", "plant", "plants", "food", "furniture", "clothing", "wearable",
    "wearables", "character", "characters", "face", "faces", "building", "buildings", "luxury",
    "decoritems", "instrument", "transport", "rigid", "deformable",
})  # fmt: skip
# The rare words that trainers bind a subject to, in front of its class.
_TOKENS = r"(?:sks|ohwx|zwx|zkz|zxc|hta|ktn|shs|olis|bnha|txcl|<[^<>]{1,20}>|\[[^\[\]]{1,20}\]|[vs]\*)"

_JOINERS = re.compile(r"[\s_-]+")
_STEP = re.compile(
    r"(?:checkpoint|ckpt|global[_-]?step|steps?|iters?|iterations?)[-_= ]?([0-9]+)|([0-9]+)[-_ ]?(?:steps?|iters?)",
    re.IGNORECASE,
)
_EPOCH = re.compile(r"epochs?[-_= ]?([0-9]+)(?:[-_ ,]+(?:steps?)[-_=]?([0-9]+))?", re.IGNORECASE)
_SEED = re.compile(r"seeds?[-_= ]?([0-9]+)", re.IGNORECASE)
_DATE = re.compile(
    r"(?:[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}|[0-9]{8})(?:[T_ -][0-9]{2}[-_:.]?[0-9]{2}(?:[-_:.]?[0-9]{2})?)?"
)
_RUN = re.compile(r"(?:offline-)?run-[0-9]{8}_[0-9]{6}-\w+|latest-run", re.IGNORECASE)
_SMALL_WORD = re.compile(
    r"(?:^|[\s_-])(?:a|an|the|on|in|at|with|of|under|over|near|by|wearing|to|and|as|for)(?=[\s_-]|$)",
    re.IGNORECASE,
)

_KOHYA = re.compile(r"(.+)_(e)?([0-9]{6,8})_([0-9]{2})_[0-9]{14}(?:_([0-9]+))?", re.DOTALL)
# What names with labels in them have; told at once, since there may be a hundred thousand names.
_MAY_HAVE_LABELS = re.compile(
    r"seed|step|iter|epoch|ckpt|checkpoint|gs-[0-9]|training-sample|^[0-9]{13}__|"
    r"_e?[0-9]{6,8}_|_[0-9]+_[0-9a-f]{8}|^[0-9]{5}-[0-9]",
    re.IGNORECASE,
)
_WANDB = re.compile(r"(.+)_([0-9]+)_(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,20}", re.DOTALL)
_A1111 = re.compile(r"[0-9]{5}-([0-9]+)(?:-.*)?", re.DOTALL)
_AI_TOOLKIT = re.compile(r"[0-9]{13}__([0-9]{9})_[0-9]+")
_ONE_TRAINER = re.compile(r"[0-9-]{10}_[0-9-]{8}-training-sample-([0-9]+)-[0-9]+-[0-9]+")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_INSIDE = re.compile(
    r"(?:^|(?<=[\s_.-]))(?:(?P<seed>seed)|(?P<step>steps?|gs|iters?|iteration|ckpt|checkpoint)|(?P<epoch>epoch))"
    r"[_= -]?(?P<number>[0-9]+)(?=$|[\s_.-])",
    re.IGNORECASE,
)
# kohya's models of an epoch, `mylora-000003` and, of its samples, `e000003`; `ep3`; and `500steps`.
_MODEL = re.compile(
    r"(?:(?P<head>.*)[-_. ])?(?:e(?P<e>[0-9]{6})|ep[-_= ]?(?P<ep>[0-9]+)"
    r"|(?P<n>[0-9]+)[-_ ]?(?:(?:steps?|iters?)|(?P<epochs>epochs?)))|(?P<name>.+)-(?P<padded>00[0-9]{4})",
    re.IGNORECASE | re.DOTALL,
)
# A counter, a copy's mark or a hash at the end of a file name; taken off again and again.
_ENDING = re.compile(
    r"(?:[\s_.-]*\([0-9]+\)|[\s_.-]+copy(?:[\s_-]*[0-9]+)?|[\s_.-]+[0-9]+|[\s_.-]+"
    r"(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,40}"
    r"|[\s_.-]+(?:seed|steps?|iter|epoch|frame|img|image|sample|gen|photo|e)[_=-]?[0-9]+|[\s_.-]+)$",
    re.IGNORECASE,
)
_LEADING = re.compile(r"^(?:[0-9]+|(?:seed|steps?|iter|epoch)[_=-]?[0-9]+)[\s_.-]+", re.IGNORECASE)
_REPEAT = re.compile(r"^[0-9]{1,3}_(?=.*[^\W\d_])", re.DOTALL)
_TOKEN = re.compile(rf"^{_TOKENS}[\s_-]+(?=.)", re.IGNORECASE | re.DOTALL)

_BETWEEN = "-_. ,="  # what parts the pieces of a name


def composed(name: str) -> str:
    r"""A name in Unicode's composed form: names that look the same on the screen are then one.

    >>> composed("cafe\u0301") == "caf\u00e9"
    True
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def folded(name: str) -> str:
    """A name without case, in one Unicode form."""
    if name.isascii():
        return name.lower()
    # Twice: case folding can leave a composed form decomposed.
    return composed(composed(name).casefold())


def word_of(name: str) -> str:
    """A name as the tables of words here spell it: lower case, joined by `_`.

    >>> word_of("TXT2IMG-images")
    'txt2img_images'
    """
    return _JOINERS.sub("_", folded(name)).strip("_")


def is_generic(name: str) -> bool:
    """Whether a folder's name says nothing about whose pictures are in it.

    >>> is_generic("Refs"), is_generic("validation_images"), is_generic("single_refs"), is_generic("dog_data")
    (True, True, True, False)
    """
    words = word_of(name).split("_")
    return "_".join(words) in GENERIC or (
        any(word in GENERIC for word in words) and all(word in GENERIC or word in _FILLERS for word in words)
    )


def is_category(name: str) -> bool:
    """Whether a name is that of a kind of subjects: `animal`, `object`."""
    return word_of(name) in CATEGORIES


def is_phrase(name: str) -> bool:
    """Whether a name reads like a prompt and not like a name: words with one such as *on* or *the* among them.

    >>> is_phrase("on the beach"), is_phrase("in_snow"), is_phrase("grey_sloth_plushie"), is_phrase("lora")
    (True, True, False, False)
    """
    return bool(_SMALL_WORD.search(name)) and bool(_JOINERS.search(name.strip(" _-")))


def folder_labels(name: str) -> Mapping[str, str] | None:
    """What a folder that trainers and their trackers make says; None for any other folder.

    >>> folder_labels("checkpoint-500"), folder_labels("epoch=3"), folder_labels("seed_7")
    ({'step': '500'}, {'step': 'epoch 3'}, {'seed': '7'})
    >>> folder_labels("run-20240501_120000-abc123"), folder_labels("cat")
    ({}, None)
    """
    if match := _STEP.fullmatch(name):
        return {"step": _number(match[1] or match[2])}
    if match := _EPOCH.fullmatch(name):
        return {"step": _number(match[2]) if match[2] else f"epoch {_number(match[1])}"}
    if match := _SEED.fullmatch(name):
        return {"seed": match[1]}
    if _DATE.fullmatch(name):
        return {"date": name}
    return {} if _RUN.fullmatch(name) else None


@dataclass(frozen=True)
class FileName:
    """What a file's name says: the name that it begins with, None where that is nobody's, and labels."""

    head: str | None
    labels: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=10_000)  # subjects and methods have files of the same names
def read_file_name(stem: str) -> FileName:
    """Take the name of a file, without its extension, apart.

    >>> read_file_name("red cat_on_0003").head, read_file_name("IMG_2041").head, read_file_name("0003_cat").head
    ('red cat_on', None, 'cat')
    >>> read_file_name("mylora_e000002_00_20240101120000")
    FileName(head='mylora', labels={'step': 'epoch 2'})
    >>> read_file_name("mylora_00000500_00_20240101120000_42").labels
    {'step': '500', 'seed': '42'}
    >>> read_file_name("samples_100_0f9e8d7c6b").labels, read_file_name("00001-123456").labels
    ({'step': '100'}, {'seed': '123456'})
    >>> read_file_name("cat-seed3")
    FileName(head='cat', labels={'seed': '3'})
    """
    if match := _KOHYA.fullmatch(stem):
        labels = {"step": ("epoch " if match[2] else "") + _number(match[3])}
        return FileName(_head(match[1]), labels | ({"seed": match[5]} if match[5] else {}))
    if match := _WANDB.fullmatch(stem):
        return FileName(_head(match[1]), {"step": match[2]})
    if match := _A1111.fullmatch(stem):
        return FileName(None, {"seed": match[1]})
    if match := _AI_TOOLKIT.fullmatch(stem) or _ONE_TRAINER.fullmatch(stem):
        return FileName(None, {"step": _number(match[1])})
    if _UUID.fullmatch(stem):
        return FileName(None)
    return FileName(_head(stem), dict(_labels_inside(stem)))


def file_labels(stem: str) -> Mapping[str, str]:
    """The labels of `read_file_name` alone: step and seed.

    >>> file_labels("cat_step500_seed3"), file_labels("cat_0")
    ({'step': '500', 'seed': '3'}, {})
    """
    return read_file_name(stem).labels if _MAY_HAVE_LABELS.search(stem) else {}


def step_within(name: str) -> tuple[str, str] | None:
    """The step that the name of a checkpoint tells, and what else it says; None where it tells none, or several.

    >>> step_within("checkpoint-500"), step_within("lora_step_0500"), step_within("epoch=3-step=500")
    (('500', ''), ('500', 'lora'), ('500', ''))
    >>> step_within("mylora-e000003"), step_within("mylora-000003"), step_within("lora-ep3"), step_within("500steps")
    (('epoch 3', 'mylora'), ('epoch 3', 'mylora'), ('epoch 3', 'lora'), ('500', ''))
    >>> step_within("samples_100_0f9e8d7c6b"), step_within("lora"), step_within("step_1_step_2")
    (('100', 'samples'), None, None)
    """
    if step := (folder_labels(name) or {}).get("step"):
        return step, ""
    if match := _KOHYA.fullmatch(name):
        return ("epoch " if match[2] else "") + _number(match[3]), match[1]
    if match := _WANDB.fullmatch(name):
        return match[2], match[1]
    told = [match for match in _INSIDE.finditer(name) if not match["seed"]]
    for kind in ("step", "epoch"):  # where both are told, steps are finer
        own = [match for match in told if match[kind]]
        if len(own) == 1:
            rest = name
            for match in reversed(told):
                rest = (
                    f"{rest[: match.start()].rstrip(_BETWEEN)} {rest[match.end() :].lstrip(_BETWEEN)}".strip()
                )
            return ("epoch " if kind == "epoch" else "") + _number(own[0]["number"]), rest
    if told or not (match := _MODEL.fullmatch(name)):
        return None
    number = match["e"] or match["ep"] or match["n"] or match["padded"]
    steps = match["n"] and not match["epochs"]
    return ("" if steps else "epoch ") + _number(number), match["head"] or match["name"] or ""


def without_counters(stem: str) -> str:
    """A file's name without the counters, seeds and copies' marks that it ends with.

    >>> without_counters("cat_0 (1)"), without_counters("dog2_03"), without_counters("red cat - Copy")
    ('cat', 'dog2', 'red cat')
    """
    while (shorter := _ENDING.sub("", stem, count=1)) and shorter != stem:
        stem = shorter
    return stem


def beginnings(stem: str) -> list[str]:
    """A file's name, and what is left of it as counters are taken off its end; bare numbers are no names.

    >>> beginnings("cat_0 (1)"), beginnings("2024-11-1_0"), beginnings("0003")
    (['cat_0 (1)', 'cat_0', 'cat'], ['2024-11-1_0', '2024-11-1', '2024-11'], [])
    """
    found: list[str] = []
    while stem and not stem.isdecimal() and stem not in found:
        found.append(stem)
        stem = _ENDING.sub("", stem, count=1)
    return found


def without_leading(stem: str) -> str:
    """A file's name without the counters and seeds that it begins with.

    >>> without_leading("0003_cat"), without_leading("seed3-cat_1"), without_leading("12_3")
    ('cat', 'cat_1', '3')
    """
    while (shorter := _LEADING.sub("", stem, count=1)) != stem:
        stem = shorter
    return stem


def spellings(name: str) -> list[str]:
    """A subject's name as trainers write it and without what they add: `10_sks cat`, `sks cat`, `cat`.

    >>> spellings("10_sks cat"), spellings("sks_cat"), spellings("cat"), spellings("12_3")
    (['10_sks cat', 'sks cat', 'cat'], ['sks_cat', 'cat'], ['cat'], ['12_3'])
    """
    forms = [name]
    for pattern in (_REPEAT, _TOKEN):
        shorter = pattern.sub("", forms[-1], count=1)
        if shorter != forms[-1]:
            forms.append(shorter)
    return forms


def _head(stem: str) -> str | None:
    """The name that a file's name begins with, or None where that is a counter or a camera's word."""
    head = without_leading(without_counters(stem))
    bare = head.rstrip("0123456789 _.-")
    if not bare or word_of(bare) in _GENERIC_HEADS or not any(map(str.isalpha, bare)):
        return None
    return head


def _labels_inside(stem: str) -> Iterator[tuple[str, str]]:
    for match in _INSIDE.finditer(stem):
        if match["seed"]:
            yield "seed", match["number"]
        else:
            yield "step", ("epoch " if match["epoch"] else "") + _number(match["number"])


def _number(digits: str) -> str:
    return digits.lstrip("0") or "0"


def stem(name: str) -> str:
    r"""The last part of a name with `/`, without its extension.

    >>> stem("a cat/0.5.png"), stem("cat\\0.jpg"), stem("LICENSE")
    ('0.5', '0', 'LICENSE')
    """
    file = archived(name.rpartition("/")[2])[-1]
    return file.rpartition(".")[0] or file


def archived(file: str) -> list[str]:
    r"""A file's name as folders and a name, where an archive from Windows left it in one: `cat\0.jpg`."""
    pieces = file.split("\\") if "\\" in file else [file]
    return pieces if all(pieces) else [file]


def own_name(folder: Path) -> str:
    """The name of a folder even if it was given as `.` or `..`; `subject` for the root of the disk."""
    return os.path.basename(os.path.abspath(folder)) or "subject"  # noqa: PTH100, PTH119
