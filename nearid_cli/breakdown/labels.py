"""What `--by` asks for: the labels that there are, the groups that they make, and their order.

A generation has a prompt, a seed, and whatever labels the layout or manifest says: step, category, any further column.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from nearid_cli.errors import UsageError
from nearid_cli.results.correspondence import compared_prompt
from nearid_cli.text import count, few, natural_key, nearest, printable, storable

PROMPT, SEED = "prompt", "seed"

Labels = Mapping[str, str | None]
"""What the generations of a group have in common: label to value; None for those that lack the label."""

Key = tuple[str | None, ...]
"""What tells the groups of one breakdown apart: their values, as values are compared."""


class Labelled(Protocol):
    """A generation, of a data set or of a result."""

    @property
    def prompt(self) -> str | None:
        """None where it is not known."""

    @property
    def seed(self) -> str | None:
        """Likewise."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Whatever else is known, by name."""


class Breakdown(NamedTuple):
    """One way of telling generations apart: by a label, or by several at once.

    Attributes:
        labels: as the generations have them, at least one.
    """

    labels: tuple[str, ...]

    @property
    def name(self) -> str:
        """As it is asked for: `category`, `category+seed`."""
        return "+".join(self.labels)

    def key(self, generation: Labelled) -> Key:
        """In which group a generation is."""
        return tuple(_compared(label, value_of(generation, label)) for label in self.labels)

    def key_of(self, labels: Labels) -> Key:
        """Which group is meant by values of all of its labels."""
        return tuple(_compared(label, labels[label]) for label in self.labels)

    def groups(self, generations: Iterable[Labelled]) -> dict[Key, Labels]:
        """The groups of some generations, in the order of their values; those that lack a label are last.

        Values are in the order of their numbers where all are numbers, and in natural order otherwise.
        """
        written: dict[Key, tuple[str | None, ...]] = {}
        for one in generations:
            values = tuple(value_of(one, label) for label in self.labels)
            key = tuple(_compared(label, value) for label, value in zip(self.labels, values, strict=True))
            known = written.setdefault(key, values)
            if values != known:  # of the ways in which a value is written always the same one
                written[key] = min(known, values, key=lambda one: tuple(value or "" for value in one))
        places = [_places({values[i] for values in written.values()}) for i in range(len(self.labels))]
        ordered = sorted(
            written, key=lambda key: [own[value] for own, value in zip(places, written[key], strict=True)]
        )
        return {key: dict(zip(self.labels, written[key], strict=True)) for key in ordered}


def value_of(generation: Labelled, label: str) -> str | None:
    """The value of a label, None for a generation that lacks it."""
    if label == PROMPT:
        return None if generation.prompt is None else storable(generation.prompt)
    if label == SEED:
        return None if generation.seed is None else storable(generation.seed)
    value = generation.labels.get(label)
    return None if value is None else _composed(value)


def is_in(generation: Labelled, labels: Labels) -> bool:
    """Whether a generation has these values, prompts compared as `compared_prompt` does."""
    return all(
        _compared(label, value_of(generation, label)) == _compared(label, value)
        for label, value in labels.items()
    )


def same_group(a: Labels, b: Labels) -> bool:
    """Whether both mean the same generations: the same labels, in any order, with the same values."""
    return {label: _compared(label, value) for label, value in a.items()} == {
        label: _compared(label, value) for label, value in b.items()
    }


def told(labels: Labels) -> str:
    """A group in words.

    >>> told({"category": "style", "seed": "3"}), told({"category": None})
    ('category style, seed 3', 'no category')
    """
    return ", ".join(
        f"no {printable(label)}" if value is None else f"{printable(label)} {shown(value)}"
        for label, value in labels.items()
    )


def shown(value: str) -> str:
    """A value as people see it: one that shows nothing is quoted.

    >>> shown("on a beach"), shown(" ")
    ('on a beach', '" "')
    """
    return printable(value) if value.strip() else f'"{printable(value)}"'


def read_breakdowns(
    asked: Sequence[str], generations: Iterable[Labelled], what: str = "generations"
) -> list[Breakdown]:
    """What was asked for with `--by`, of generations that have these labels; `what` they are called in messages.

    Each item is a comma list of breakdowns; several labels of one are joined by `+`. A label whose own name has a comma
    or a `+` in it is meant where that name is given. Case need not be right where it decides nothing.

    Raises:
        UsageError: labels that no generation has, or that may mean several; it lists those that there are.
    """
    if not asked:
        return []
    known = _values(generations)
    problems: list[str] = []

    def label(name: str) -> str:
        alike = [one for one in known if _composed(one).casefold() == _composed(name).casefold()]
        if name in known or len(alike) == 1:
            return name if name in known else alike[0]
        if alike:
            problems.append(f'label "{printable(name)}" may mean {" or ".join(map(printable, alike))}')
        elif not name:
            problems.append("--by: expected a label, found nothing")
        else:
            problems.append(f'unknown label "{printable(name)}"{_nearest(name, known)}')
        return name

    found: dict[frozenset[str], Breakdown] = {}
    for item in _items(asked, known):
        names = [item] if item in known else item.split("+")
        labels = tuple(dict.fromkeys(label(name.strip()) for name in names))
        found.setdefault(frozenset(labels), Breakdown(labels))
    if problems:
        first, *others = dict.fromkeys(problems)
        raise UsageError(f"{first}; {_what_there_is(known, what)}", [*others, *_lines(known)])
    return list(found.values())


def _items(asked: Iterable[str], known: Mapping[str, object]) -> Iterator[str]:
    for one in asked:
        yield from [one] if one in known else (item.strip() for item in one.split(","))


def _values(generations: Iterable[Labelled]) -> dict[str, dict[str, None]]:
    """By label that some generation has, prompt and seed first, its values."""
    found: dict[str, dict[str, None]] = {PROMPT: {}, SEED: {}}
    for one in generations:
        for label in (PROMPT, SEED):
            if (value := _compared(label, value_of(one, label))) is not None:
                found[label][value] = None
        for name, value in one.labels.items():
            if name not in (PROMPT, SEED):
                found.setdefault(storable(name), {})[_composed(value)] = None
    return {label: values for label, values in found.items() if values}


def _what_there_is(known: Mapping[str, object], what: str) -> str:
    if not known and what != "generations":
        return f"nothing is known of the {what}"
    if not known:
        return (
            "nothing is known of the generations but whose they are: name a manifest's columns, or what paths say with "
            "--pattern (nearid layout shows what is read)"
        )
    return f"the {what} have {count(len(known), 'label')}: {', '.join(map(printable, known))}"


def _nearest(name: str, known: Iterable[str]) -> str:
    """Which label may have been meant; all that there are stand elsewhere."""
    near = nearest(name, known)
    return f": did you mean {' or '.join(map(printable, near))}?" if near else ""


def _lines(known: Mapping[str, Mapping[str, None]]) -> Iterator[str]:
    for label, values in known.items():
        places = _places(set(values))
        yield f"{printable(label)}: {count(len(values), 'value')}: {few(sorted(values, key=places.__getitem__))}"


def _compared(label: str, value: str | None) -> str | None:
    if value is None:
        return None
    return compared_prompt(value) if label == PROMPT else _composed(value)


def _composed(text: str) -> str:
    """In the one Unicode form: what looks the same on the screen, such as names from a Mac, is the same."""
    return unicodedata.normalize("NFC", text)


def _places(values: set[str | None] | set[str]) -> dict[str | None, int]:
    """The place of each value of a label in its order; None is last."""
    known = [value for value in values if value is not None]
    numbers = {value: _number(value) for value in known}
    if None not in numbers.values():
        known.sort(key=lambda value: (numbers[value], value))
    else:
        known.sort(key=natural_key)
    return {value: place for place, value in enumerate([*known, None])}


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return None if math.isnan(number) else number
