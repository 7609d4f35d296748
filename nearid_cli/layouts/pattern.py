"""`--pattern '{prompt}/{subject}/{seed}.png'`: what each part of a path is, said by the user."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from nearid_cli.errors import InputError, UsageError
from nearid_cli.layouts.dataset import Picture
from nearid_cli.layouts.layout import Layout
from nearid_cli.layouts.matching import told_apart
from nearid_cli.layouts.names import archived, composed
from nearid_cli.layouts.prompts import PATTERN, said
from nearid_cli.layouts.sides import Assigned, Tree
from nearid_cli.text import did_you_mean, printable

_PLACEHOLDERS = ("subject", "method", "prompt", "seed", "step", "category")
_NUMERIC = frozenset({"seed", "step"})  # so that {subject}_{seed} can be told apart in one way
_TAKEN = frozenset({"path", "role"})  # columns of a manifest that say something else
_PIECE = re.compile(r"\{([^{}]*)\}|(\*+)|([^{}*]+)|([{}])")
_MOST_PARTS, _MOST_TOKENS = 64, 32
"""Of a pattern, and of one of its parts. Time grows with their product."""
_MOST_READINGS = 1000

Values = tuple[tuple[str, str], ...]


class Pattern:
    """A pattern for the paths below a folder.

    `{subject}`, `{method}`, `{prompt}`, `{seed}`, `{step}` and `{category}` take a part of a path, or a part of one;
    seeds and steps are numbers. Any other `{name}` becomes a label. `*` matches what does not matter within a part,
    `**` any number of parts. A name that stands twice must say the same twice.

    >>> Pattern("{prompt}/{subject}/{seed}.png").readings("on a beach/cat/7.png")
    [{'prompt': 'on a beach', 'seed': '7', 'subject': 'cat'}]
    >>> Pattern("{subject}_{prompt}.*").readings("red_cat_asleep.png")
    [{'prompt': 'asleep', 'subject': 'red_cat'}, {'prompt': 'cat_asleep', 'subject': 'red'}]
    >>> Pattern("{subject}/**").readings("cat.png")
    []

    Raises:
        UsageError: braces do not match, a name cannot be a label, or it goes on without end.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts: list[tuple[str, ...] | None] = []
        for part in composed(text).strip("/").split("/"):
            if part != "**" or self._parts[-1:] != [None]:  # any number of parts, twice, is any number
                self._parts.append(_tokens(part, text))
        if (
            len(self._parts) > _MOST_PARTS
            or max(map(len, filter(None, self._parts)), default=0) > _MOST_TOKENS
        ):
            raise UsageError(
                f"the pattern has too many parts: expected at most {_MOST_PARTS} between /, "
                f"and {_MOST_TOKENS} words, * and placeholders in each"
            )
        self.names = {token[1:-1] for part in self._parts for token in part or () if token[0] == "{"}
        if not text.strip("/"):
            raise UsageError("the pattern is empty; write it like '{subject}/{prompt}/{seed}.png'")
        near = [
            name for name in self.names - {*_PLACEHOLDERS} if "did you" in did_you_mean(name, ["subject"])
        ]
        if "subject" not in self.names and near:
            raise UsageError(f"the pattern {printable(text)!r} has {{{near[0]}}}: did you mean {{subject}}?")

    def readings(self, name: str) -> list[dict[str, str]]:
        """Every way in which a path fits, each with its values by placeholder.

        Raises:
            UsageError: there are more ways than anybody would look at.
        """
        *folders, file = composed(name).split("/")
        found = self._match(0, (*folders, *archived(file)), {})
        return [dict(values) for values in sorted(found)]

    def _match(
        self, position: int, parts: tuple[str, ...], known: dict[tuple[int, int], set[Values]]
    ) -> set[Values]:
        """The ways in which the pattern from one of its parts on matches the last parts of a path.

        Args:
            position: of the pattern's part.
            parts: of the path.
            known: ways that were found already, by position and number of parts.
        """
        if position == len(self._parts):
            return set() if parts else {()}
        if (found := known.get((position, len(parts)))) is not None:
            return found
        found = known[position, len(parts)] = set()
        tokens = self._parts[position]
        if tokens is None:  # **, which takes something if nothing comes after it
            last = position == len(self._parts) - 1
            for taken in range(1 if last else 0, len(parts) + 1):
                found |= self._match(position + 1, parts[taken:], known)
        elif parts:
            for values in _within(tokens, parts[0]):
                for others in self._match(position + 1, parts[1:], known):
                    if (together := _joined(values, others)) is not None:
                        found.add(together)
        if len(found) > _MOST_READINGS:
            raise _too_vague(self.text)
        return found


@lru_cache(maxsize=10_000)
def _within(tokens: tuple[str, ...], text: str) -> tuple[Values, ...]:
    """Every way in which the tokens of one part match all of a text."""
    if not tokens:
        return () if text else ((),)
    first, rest = tokens[0], tokens[1:]
    if first[0] not in "{*":
        return _within(rest, text[len(first) :]) if text[: len(first)].casefold() == first.casefold() else ()
    name = first[1:-1]  # nothing for `*`, which takes nothing as well
    found: dict[Values, None] = {}
    for end in range(bool(name), len(text) + 1):
        taken = text[:end]
        if name in _NUMERIC and not taken.isdecimal():
            continue
        own = ((name, taken),) if name else ()
        for values in _within(rest, text[end:]):
            if (together := _joined(own, values)) is not None:
                found[together] = None
        if len(found) > _MOST_READINGS:
            raise _too_vague("".join(tokens))
    return tuple(found)


def _too_vague(pattern: str) -> UsageError:
    return UsageError(
        f"a path fits {printable(pattern)!r} in more than {_MOST_READINGS:,} ways; make the pattern say more"
    )


def _joined(a: Values, b: Values) -> Values | None:
    """The values of both, or None where one name has two."""
    values = dict(a)
    for name, value in b:
        if values.setdefault(name, value) != value:
            return None
    return tuple(sorted(values.items()))


def _tokens(part: str, pattern: str) -> tuple[str, ...] | None:
    """What a part of a path is made of: `{name}`, `*` and what stands as it is; None for `**`."""
    if part == "**":
        return None
    tokens = []
    for name, stars, literal, stray in _PIECE.findall(part):
        if stray:
            raise UsageError(f"the pattern {printable(pattern)!r} has a {stray} without its counterpart")
        if stars:
            if len(stars) > 1:
                raise UsageError(f"the pattern {printable(pattern)!r}: ** stands alone between two /")
            tokens.append(stars)
        elif literal:
            tokens.append(literal)
        elif not name.isidentifier() or name in _TAKEN:
            raise UsageError(
                f"the pattern {printable(pattern)!r} has {{{printable(name)}}}; placeholders are "
                f"{', '.join(f'{{{known}}}' for known in _PLACEHOLDERS)}, or a word of your own as a label"
            )
        else:
            tokens.append(f"{{{name}}}")
    return tuple(tokens)


class _ByPattern(Layout):
    """That of paths in which the user says what is what."""

    name = "pattern"


BY_PATTERN = _ByPattern()


def read_by_pattern(
    tree: Tree, pattern: Pattern, only: str | None, prefer: Callable[[str], bool] = lambda _: False
) -> Assigned:
    """The pictures of a tree by the subjects that a pattern finds in their paths.

    Args:
        tree: the pictures.
        pattern: what their paths are.
        only: whose pictures are all, where the pattern has no `{subject}`.
        prefer: whether a name is that of a subject with references; it decides where a path fits in several ways.

    Returns:
        With what does not fit in `unfit`.

    Raises:
        UsageError: the pattern has no `{subject}` and there are several.
        InputError: paths fit in several ways; lists them all.
    """
    if "subject" not in pattern.names and only is None:
        raise UsageError(
            f"the pattern {printable(pattern.text)!r} has no {{subject}}, and there are several subjects"
        )
    found = Assigned(tree.root, BY_PATTERN, left_out=tree.left_out)
    doubts = []
    for name in tree.names:
        readings = pattern.readings(name)
        if len(readings) > 1:
            readings = [one for one in readings if prefer(one.get("subject", ""))] or readings
        if not readings:
            found.unfit.append(name)
        elif len(readings) > 1:
            doubts.append(f"{printable(name)}: {' or '.join(map(_shown, readings[:2]))}")
        else:
            (labels,) = readings
            subject, method, prompt, seed = (labels.pop(known, None) for known in _PLACEHOLDERS[:4])
            picture = said(Picture.at(tree.root, name, method, None, seed, labels), prompt, PATTERN)
            found.subjects.setdefault(subject or only or "", []).append(picture)
    if doubts:
        raise InputError(
            f"{len(doubts):,} paths fit the pattern {printable(pattern.text)!r} in several ways; make it say more",
            doubts,
        )
    return found


def _shown(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {told_apart(value)}" for name, value in values.items())
