"""What nearid says of a world."""

from __future__ import annotations

from nearid_cli.evaluate.compare import compare
from nearid_cli.gate.judge import judge
from nearid_cli.results import CompareResult, Rule
from tests.worlds.planting import Method, World, result

_WORDS = {
    "better": "better",
    "worse": "worse",
    "too few": "too few",
    "not judged: no prompt in common": "not judged",
    "not judged": "copies",
}


def compared(world: World) -> CompareResult:
    """The world compared."""
    return compare({name: result(method) for name, method in world.methods.items()}, world.baseline)


def verdicts(found: CompareResult) -> dict[str, str]:
    """By method, in the words of the oracle."""
    said = {one.method: one.verdict for one in found.comparisons}
    return {
        method: next((word for start, word in _WORDS.items() if words.startswith(start)), "not shown")
        for method, words in said.items()
    }


def gate(run: Method, base: Method) -> str:
    """What a rule that allows no drop with 95 % confidence says of a run: passed, failed, or cannot judge."""
    (word,) = gates(run, base)
    return word


def gates(run: Method, base: Method, level: str = "aggregate") -> list[str]:
    """The same at another level: a word a subject."""
    rule = Rule("nearid", "score", level, None, None, 0.0, 0.95, "error")
    outcome = judge(result(run), result(base), [rule], run_name="run", baseline_name="base")
    return [
        "cannot judge" if one.status == "failed" and "score fell by" not in one.reason else one.status
        for one in outcome.verdicts
    ]
