"""Two runs that write one prompt differently: a group of one prompt is then the same in both."""

from __future__ import annotations

from dataclasses import replace

from nearid_cli.results import Image, ScoreResult
from nearid_cli.results.correspondence import compared_prompt
from nearid_cli.results.images import Images
from nearid_cli.results.pairing import match_runs


def spelled_as(result: ScoreResult, other: ScoreResult) -> ScoreResult:
    """The result with the prompts that it shares with another one written as that one writes them.

    They may call a subject by other placeholders ("a sks dog", "a <v> dog"), which shows in all prompts of a subject
    together, and not in a group of one prompt.
    """
    matching = match_runs(result, other)
    if not matching.placeholders:
        return result
    written = {
        id(image): group.b[0].prompt
        for one in matching.subjects
        if one.how == "prompts"
        for group in one.groups
        for image in group.a
    }

    def spelled(image: Image) -> Image:
        prompt = written.get(id(image))
        if prompt is None or image.prompt is None or compared_prompt(prompt) == compared_prompt(image.prompt):
            return image
        return replace(image, prompt=prompt)

    return replace(result, images=Images(map(spelled, result.images)))
