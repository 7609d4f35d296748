"""What nearid says of a world."""

from __future__ import annotations

from nearid_cli.evaluate.compare import compare
from nearid_cli.gate.judge import judge
from nearid_cli.results import CompareResult, Rule
from tests.worlds.planting import Method, World, result

_WORDS = {"better": "better", "worse": "worse", "too few": "too few", "not judged": "copies"}


def compared(world: World) -> CompareResult:
    """The world compared."""
    return compare({name: result(method) for name, method in world.methods.items()}, world.baseline)


def verdicts(found: CompareResult) -> dict[str, str]:
    """By method, in the words of the oracle."""
    from nearid_cli.reports.verdict import verdicts as old

    said = {method: words for (_, method), words in old(found).items()}
    return {
        method: next((word for start, word in _WORDS.items() if words.startswith(start)), "not shown")
        for method, words in said.items()
    }


def gated(run: Method, base: Method, **rule: object) -> list[tuple[str | None, str, str]]:
    """Subject, status and reason of each verdict on one rule."""
    wanted = {
        "statistic": "score",
        "level": "aggregate",
        "min": None,
        "max": None,
        "max_drop": 0.0,
        "confidence": 0.95,
    }
    one = Rule("nearid", **{**wanted, **rule}, on_fail="error")  # type: ignore[arg-type]
    outcome = judge(result(run), result(base), [one], run_name="run", baseline_name="base")
    return [(verdict.subject, verdict.status, verdict.reason) for verdict in outcome.verdicts]
