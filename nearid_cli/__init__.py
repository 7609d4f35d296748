"""nearid: did the generated picture keep the identity of its subject?

>>> import nearid_cli
>>> result = nearid_cli.score("refs", "gens", metrics=["nearid"])       # doctest: +SKIP
>>> nearid_cli.load_encoder("nearid").embed(["a.png", "b.png"]).shape   # doctest: +SKIP
(2, 1152)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nearid_cli.encoders import autoregister as _autoregister

if TYPE_CHECKING:
    from nearid_cli.api import ImageEncoder, compare, load_encoder, pair, score
    from nearid_cli.errors import NearIDError
    from nearid_cli.options import Options
    from nearid_cli.results import CompareResult, PairResult, ScoreResult
    from nearid_cli.scorer.scorer import Scorer

__version__ = "0.1.0"
__all__ = [
    "CompareResult",
    "ImageEncoder",
    "NearIDError",
    "Options",
    "PairResult",
    "ScoreResult",
    "Scorer",
    "__version__",
    "compare",
    "load_encoder",
    "pair",
    "score",
]

_HOMES = {
    "CompareResult": "nearid_cli.results",
    "ImageEncoder": "nearid_cli.api",
    "NearIDError": "nearid_cli.errors",
    "Options": "nearid_cli.options",
    "PairResult": "nearid_cli.results",
    "ScoreResult": "nearid_cli.results",
    "Scorer": "nearid_cli.scorer.scorer",
    "compare": "nearid_cli.api",
    "load_encoder": "nearid_cli.api",
    "pair": "nearid_cli.api",
    "score": "nearid_cli.api",
}

# `AutoModel.from_pretrained` shall know NearID checkpoints as soon as this package is imported.
_autoregister.install()


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import nearid_cli` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def _result_views() -> Any:
    """What shows and writes results, for `results/`, which is below the part that does."""
    from importlib import import_module

    return import_module("nearid_cli.reports.views")


def _result_trackers() -> Any:
    """What logs results, likewise."""
    from importlib import import_module

    return import_module("nearid_cli.trackers")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
