"""The rating files of DreamBench++: `{key: number}`, one JSON file a method, in a folder for each rater or metric.

A key names one generated picture: `<category>_<NN>_<subject>-<prompt>`. Files of metrics may add `_<image index>`, and
one subject has two names. `item_key` makes them one, so that files are joined by key and never by position.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nearid_cli.errors import InputError
from nearid_cli.layouts.names import own_name
from nearid_cli.opening import MalformedError, as_json, read_json
from nearid_cli.text import count, printable, shown

METHODS = (
    "textual_inversion_sd",
    "dreambooth_sd",
    "dreambooth_lora_sdxl",
    "blip_diffusion",
    "emu2",
    "ip_adapter_plus_vit_h_sdxl",
    "ip_adapter_vit_g_sdxl",
)
"""The methods that people rated, in the order of the published tables."""

CATEGORIES = ("object", "live_subject_animal", "live_subject_human", "style")

HUMANS = "data_human_rating/merged_data"
"""Where the ratings of people lie in the folder of all ratings."""

_IDENTITY = "concept_preservation_full"  # of the ratings of GPT-4o, those of identity
_ALIASES = {
    "rubik's_cube": "magic_cube"
}  # one subject: so in the samples and metrics, so in the human ratings
_IMAGE_INDEX = re.compile(r"_\d+\Z")

Scores = Mapping[str, float]


@dataclass(frozen=True)
class RatingSet:
    """The ratings of one rater or metric.

    Attributes:
        name: its name in results.
        methods: by method, then by item as in `item_key`.
        origin: where they come from, for messages and results.
    """

    name: str
    methods: Mapping[str, Scores]
    origin: str


def item_key(key: str) -> str:
    """The item that a key names: without an image index, and with the name that the human ratings use.

    >>> item_key("object_20_rubik's_cube-3_0"), item_key("style_10_ukiyo-e-8")
    ('object_20_magic_cube-3', 'style_10_ukiyo-e-8')
    """
    key = _IMAGE_INDEX.sub("", key)
    for name, other in _ALIASES.items():
        key = key.replace(name, other)
    return key


def category_of(item: str) -> str | None:
    """The category that an item begins with; None for one that is not of the benchmark.

    >>> category_of("live_subject_animal_00_kitten-0"), category_of("landscape_00_hill-0")
    ('live_subject_animal', None)
    """
    return next((category for category in CATEGORIES if item.startswith(f"{category}_")), None)


def subject_of(item: str) -> str:
    """The subject of an item, which is all before the prompt.

    >>> subject_of("live_subject_animal_26_cotton-top_tamarin-0")
    'live_subject_animal_26_cotton-top_tamarin'
    """
    return item.rpartition("-")[0] or item


def prompt_of(item: str) -> str | None:
    """The number of an item's prompt; None for a name without one.

    >>> prompt_of("live_subject_animal_26_cotton-top_tamarin-0")
    '0'
    """
    number = item.rpartition("-")[2]
    return number if number.isdecimal() and number != item else None


def in_order(methods: Iterable[str]) -> list[str]:
    """Methods in the order of the published tables, others behind them by name."""
    place = {method: index for index, method in enumerate(METHODS)}
    return sorted(methods, key=lambda method: (place.get(method, len(place)), method))


def by_item(scores: Iterable[tuple[str, object]], problems: list[str], where: str) -> dict[str, float]:
    """Pairs of key and score as item -> number; what is wrong with them is added to `problems`.

    Numbers are finite integers or floats; truth values, text and null are none.
    """
    found: dict[str, float] = {}
    keys: dict[str, str] = {}
    for key, value in scores:
        item = item_key(key)
        number = _number(value)
        if number is None:
            problems.append(
                f"{where}: {printable(key)} is {shown(value, 60, as_json)}, which is no finite number"
            )
        elif item in found:
            problems.append(
                f"{where}: {printable(keys[item])} and {printable(key)} are the same item, rated twice"
            )
        elif category_of(item) is None:
            problems.append(f"{where}: {printable(key)} begins with none of {', '.join(CATEGORIES)}")
        else:
            found[item], keys[item] = number, key
    return found


def _read_set(name: str, folder: Path) -> RatingSet:
    """The scores of a metric: one `<method>.json` a method. Other files in the folder do not matter.

    Raises:
        InputError: there is no such folder or no such file in it, or files hold something else; all are named.
    """
    return RatingSet(name, _read_folder(folder, ".json", f"scores of {printable(name)}"), str(folder))


def read_sets(folders: Sequence[tuple[str, Path]]) -> list[RatingSet]:
    """The scores of metrics, by their names and folders: one `<method>.json` a method; other files do not matter.

    Raises:
        InputError: what is wrong with any of them; all is named at once.
    """
    found, errors = [], []
    for name, folder in folders:
        try:
            found.append(_read_set(name, folder))
        except InputError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        problems = [line for error in errors for line in error.details or (error.message,)]
        raise InputError(f"{count(len(problems), 'problem')} in the scores; mend the files", problems)
    return found


def ratings_folder(given: Path) -> Path:
    """The folder of all ratings: what is given, or where it lies in a copy of the published code."""
    places = (given, given / "ratings", given / "dreambench_plus" / "ratings")
    return next((place for place in places if (place / HUMANS).is_dir()), given)


def read_humans(ratings: Path) -> tuple[RatingSet, RatingSet]:
    """The ratings of the two groups of people: `group1` and `group2`, one `<method>-cp.json` a method in each.

    Args:
        ratings: for `ratings_folder`, with `data_human_rating/merged_data` in it, or one of these two.

    Raises:
        InputError: there are no such folders, or files in them are malformed; all are named.
    """
    root = ratings_folder(ratings)
    for below in (HUMANS, "merged_data", ""):
        if (root / below / "group1").is_dir() or (root / below / "group2").is_dir():
            folder = root / below
            break
    else:
        raise InputError(
            f"no human ratings in {printable(ratings)}: expected {HUMANS}/group1 and group2 in it"
        )
    first, second = (
        RatingSet(
            group, _read_folder(folder / group, "-cp.json", f"human ratings of {group}"), str(folder / group)
        )
        for group in ("group1", "group2")
    )
    return first, second


def _read_folder(folder: Path, ending: str, what: str) -> dict[str, dict[str, float]]:
    if not folder.is_dir():
        raise InputError(f"no {what}: {printable(folder)} is no folder")
    files = {
        path.name.removesuffix(ending): path
        for path in sorted(folder.iterdir())
        if path.name.endswith(ending) and not path.name.startswith(".") and path.is_file()
    }
    if not files:
        raise InputError(
            f"no {what} in {printable(folder)}: expected <method>{ending}, such as {METHODS[4]}{ending}"
        )
    problems: list[str] = []
    methods = {method: _read_file(files[method], problems) for method in in_order(files)}
    if problems:
        raise InputError(f"{count(len(problems), 'problem')} in the {what}; mend the files", problems)
    return methods


def _read_file(path: Path, problems: list[str]) -> dict[str, float]:
    where = f"{own_name(path.parent)}/{path.name}"
    try:
        pairs = read_json(path, object_pairs_hook=_Pairs)
    except OSError as error:
        problems.append(f"{printable(where)}: {error.strerror or error}")
    except MalformedError as error:
        problems.append(f"{printable(where)}: {error}")
    else:
        if not isinstance(pairs, _Pairs):
            problems.append(f"{printable(where)}: expected an object {{key: number}}, found {_kind(pairs)}")
        elif not pairs:
            problems.append(f"{printable(where)}: holds no ratings")
        else:
            return by_item(pairs, problems, printable(where))
    return {}


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it stands in the file: a key that occurs twice must not hide its first value."""


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer beyond the range of floats
        return None


def _kind(value: object) -> str:
    names = {list: "a list", str: "text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def named_folders(specifications: Sequence[str]) -> list[tuple[str, Path]]:
    """What `--scores` says, `NAME=DIR` or `DIR`, as names and folders.

    `DIR` may also be the folder of all ratings, with `NAME` in it, and that of GPT-4o's, which rated identity and more.
    """
    found = []
    for specification in specifications:
        name, equals, rest = specification.partition("=")
        folder = Path(rest) if equals and name and not Path(specification).is_dir() else Path(specification)
        if folder == Path(specification):
            name = own_name(folder)
        elif (folder / name).is_dir() and not any(folder.glob("*.json")):
            folder = folder / name
        if (folder / _IDENTITY).is_dir() and not any(folder.glob("*.json")):
            folder = folder / _IDENTITY
        found.append((name, folder))
    return found
