"""The results of all jobs as plain frozen dataclasses.

The jobs make them, `reports/` and notebooks read them, nothing writes back. A number that does not exist is
None, never NaN. The meaning of every number is in docs/reference/numbers.md and docs/explanation/statistics.md.
"""

from nearid_cli.results.base import Tool
from nearid_cli.results.compare import (
    Agreement,
    Common,
    ComparedGroup,
    CompareResult,
    Comparison,
    Disagreement,
    Method,
    Methods,
    Pairing,
)
from nearid_cli.results.curves import Curve, CurvePoint, StepDifference
from nearid_cli.results.gate import GateResult, Moved, Rule, Verdict
from nearid_cli.results.images import Image, Images, PictureMask
from nearid_cli.results.score import (
    AggregateScores,
    ContextShare,
    EmbedResult,
    Inputs,
    Interval,
    MasksUsed,
    Metric,
    PairResult,
    ReferenceScore,
    ScoredGroup,
    ScoreResult,
    Skipped,
    Subject,
    Subjects,
    SubjectScores,
)

__all__ = [
    "AggregateScores",
    "Agreement",
    "Common",
    "CompareResult",
    "ComparedGroup",
    "Comparison",
    "ContextShare",
    "Curve",
    "CurvePoint",
    "Disagreement",
    "EmbedResult",
    "GateResult",
    "Image",
    "Images",
    "Inputs",
    "Interval",
    "MasksUsed",
    "Method",
    "Methods",
    "Metric",
    "Moved",
    "PairResult",
    "Pairing",
    "PictureMask",
    "ReferenceScore",
    "Rule",
    "ScoreResult",
    "ScoredGroup",
    "Skipped",
    "StepDifference",
    "Subject",
    "SubjectScores",
    "Subjects",
    "Tool",
    "Verdict",
]
