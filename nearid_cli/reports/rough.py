"""Which intervals of a score result rest on too little to be taken at their word."""

from __future__ import annotations

from nearid_cli.results import Image, ScoreResult
from nearid_cli.results.pairing import by_prompt, by_subject
from nearid_cli.text import count


def rough_intervals(result: ScoreResult) -> list[str]:
    """A line where intervals rest on 3 or 4 units: subjects for the aggregate, generations or prompts for a subject."""
    from nearid_cli.metrics.intervals import FEW_UNITS, MIN_UNITS

    few_of_each = " or ".join(map(str, range(MIN_UNITS, FEW_UNITS)))
    whose = []
    subjects = len(result.subjects)
    if MIN_UNITS <= subjects < FEW_UNITS:
        whose.append(f"that of the aggregate on {subjects} subjects")
    images = by_subject(result.images)
    units = [_units(images.get(subject.subject, [])) for subject in result.subjects]
    for noun in ("generations", "prompts"):
        few = sum(MIN_UNITS <= number < FEW_UNITS and of == noun for number, of in units)
        if few == subjects:
            whose.append(f"those of subjects on {few_of_each} {noun} each")
        elif few:
            whose.append(f"those of {count(few, 'subject')} on {few_of_each} {noun} each")
    return (
        [f"rough intervals: {', '.join(whose)}; below {FEW_UNITS} they rest on an assumed shape"]
        if whose
        else []
    )


def _units(images: list[Image]) -> tuple[int, str]:
    """How many units a subject's intervals have, and of what."""
    prompts = by_prompt(images) or {}
    return (len(prompts), "prompts") if len(prompts) > 1 else (len(images), "generations")
