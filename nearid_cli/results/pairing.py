"""Which generation of one run corresponds to which of another: same subject, same prompt and seed, or same name."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from nearid_cli.results.score import Image, is_in_memory


def paired_images(a: Sequence[Image], b: Sequence[Image]) -> list[tuple[Image, Image]]:
    """Pair the generations of one subject in two runs.

    Two generations correspond when both runs know their prompt and seed and these are equal. Failing that, they
    correspond when their paths below the subject's folder are equal but for the extension, unless their prompts or
    seeds are known to differ. What is ambiguous (a key that two generations of one run share) is not paired.

    Args:
        a: generations of a subject in one run.
        b: generations of the same subject in another run.

    Returns:
        Pairs in the order of `a`; no generation is in two of them.

    >>> def image(path, prompt=None, seed=None):
    ...     return Image(path, "cat", None, {}, prompt, seed)
    >>> [(x.path, y.path) for x, y in paired_images([image("cat/0.png")], [image("out/cat/0.jpg")])]
    [('cat/0.png', 'out/cat/0.jpg')]
    >>> paired_images([image("cat/0.png", "on a beach", "1")], [image("cat/0.png", "on a beach", "2")])
    []
    """
    pairs = dict(_matches(a, b, _prompt_and_seed))
    taken = set(pairs.values())
    rest_a = [i for i in range(len(a)) if i not in pairs]
    rest_b = [j for j in range(len(b)) if j not in taken]
    by_name = _matches([a[i] for i in rest_a], [b[j] for j in rest_b], _name_below_subject)
    for i, j in ((rest_a[i], rest_b[j]) for i, j in by_name):
        known = _prompt_and_seed(a[i]), _prompt_and_seed(b[j])
        if None in known or known[0] == known[1]:
            pairs[i] = j
    return [(a[i], b[j]) for i, j in sorted(pairs.items())]


def by_subject(images: Iterable[Image]) -> dict[str, list[Image]]:
    """The generations of each subject, in their order."""
    found: dict[str, list[Image]] = {}
    for image in images:
        found.setdefault(image.subject, []).append(image)
    return found


def _matches(
    a: Sequence[Image], b: Sequence[Image], key: Callable[[Image], Hashable | None]
) -> Iterator[tuple[int, int]]:
    """Positions in `a` and `b` whose keys are equal, known, and found once on each side."""
    keys = [key(image) for image in a]
    often_a, often_b = Counter(keys), Counter(map(key, b))
    at = {key(image): j for j, image in enumerate(b)}
    for i, one in enumerate(keys):
        if one is not None and often_a[one] == often_b[one] == 1:
            yield i, at[one]


def _prompt_and_seed(image: Image) -> tuple[str, str] | None:
    return None if image.prompt is None or image.seed is None else (image.prompt, image.seed)


def _name_below_subject(image: Image) -> tuple[str, ...] | None:
    if is_in_memory(image.path):
        return None  # a place in a list is no name: pairing by it would pair by accident
    *folders, file = image.path.split("/")
    wanted = _letters(image.subject)
    below = next((i + 1 for i, folder in enumerate(folders) if _letters(folder) == wanted), 0)
    return (*folders[below:], _stem(file))


def _stem(file: str) -> str:
    """A file name without its extension: `PurePosixPath(file).stem`, which takes ten times as long."""
    dot = file.rfind(".")
    return file[:dot] if 0 < dot < len(file) - 1 else file


def _letters(name: str) -> str:
    """A name as subjects are matched by it: without case, spaces and punctuation."""
    folded = unicodedata.normalize("NFC", name.casefold())
    return "".join(filter(str.isalnum, folded)) or folded
