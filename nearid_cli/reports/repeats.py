"""Pictures that are there more than once, in words: a line a kind."""

from __future__ import annotations

from nearid_cli.reports.figures import some
from nearid_cli.results import Inputs
from nearid_cli.text import count


def repeats(inputs: Inputs) -> list[str]:
    """What a reader must know of pictures that a result found to be one; nothing where all differ."""
    lines = []
    if inputs.same_generations:
        lines.append(
            f"{some(inputs.same_generations)} (was the seed not changed?), and count once in intervals"
        )
    for names, noun in ((inputs.repeated, "reference"), (inputs.repeated_distractors, "distractor")):
        if names:
            look, times = ("looks", "counts") if len(names) == 1 else ("look", "count")
            lines.append(
                f"{count(len(names), noun)} {look} like another of the same subject (saved again?), "
                f"and {times} once: {some(names)}"
            )
    for shared, noun in ((inputs.shared_references, "reference"), (inputs.shared_generations, "generation")):
        if shared:
            hardly = ", hardly to be told apart" if noun == "reference" else ""
            be = "is" if len(shared) == 1 else "are"
            lines.append(f"{count(len(shared), noun)} {be} of several subjects{hardly}: {some(shared)}")
    return lines
