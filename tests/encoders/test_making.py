"""What a metric's class may be, and what is said of one that cannot be used."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nearid_cli.encoders.making import make
from nearid_cli.encoders.plugged import plugin_fingerprint, spec_of
from nearid_cli.encoders.registry import MetricRequest
from nearid_cli.errors import UsageError
from nearid_cli.options import Options
from nearid_cli.plugins import AnyMetric, EmbeddingMetric, PairwiseMetric


class Half(PairwiseMetric):
    """A half for any two."""

    version = "half/1"
    protocol = "a half"
    range = (0, 1)

    def compare(self, reference: Any, generation: Any) -> float:
        return 0.5


class Changed(Half):
    """Says what its settings say."""

    def __init__(self, **said: Any) -> None:
        for name, value in said.items():
            setattr(self, name, tuple(value) if isinstance(value, list) else value)


class Ends(Half):
    """Ends Python, as scripts do that are no modules."""

    def __init__(self) -> None:
        raise SystemExit("usage: other.py FILE")


class Broken(Half):
    """A version that cannot be told."""

    @property
    def version(self) -> str:  # type: ignore[override]
        raise RuntimeError("not\ninstalled")


class KindLess(AnyMetric):
    """Of no kind."""

    version = "none/1"
    protocol = "none"


class TwoKinds(EmbeddingMetric, Half):  # type: ignore[misc]
    """Of two."""

    def embed(self, batch: Any) -> Any:
        return [[1.0]] * len(batch)


class Vector(EmbeddingMetric):
    """Of another range than cosines."""

    version = "vector/1"
    protocol = "one"
    range = (0, 1)

    def embed(self, batch: Any) -> Any:
        return [[1.0]] * len(batch)


class WrongOptions(Half):
    """Options that nobody has."""

    options = ("colour",)


class OptionsText(Half):
    """The comma is forgotten."""

    options = "device"  # type: ignore[assignment]


@dataclass(frozen=True)
class Frozen(Half):
    """As people write classes that only have settings."""

    sigma: float = 1.0


class Silent(Half):
    """Takes a checkpoint and does not say so."""

    def __init__(self, checkpoint: str) -> None:
        self._weights = checkpoint


def request(name: str, **settings: Any) -> MetricRequest:
    return MetricRequest("mine", "", plugin=f"{__name__}:{name}", settings=settings)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"range": [float("nan"), 1]}, r"None where there is no end, found \(nan, 1\)"),
        ({"range": [1, 0]}, r"range, .*found \(1, 0\)"),
        ({"range": [0, 1, 2]}, r"range, .*found \(0, 1, 2\)"),
        ({"range": [0, float("inf")]}, r"range, .*found \(0, inf\)"),
        ({"range": None}, "range, .*found None"),
        ({"range": ["a", "b"]}, "range, "),
        ({"version": 3}, "expected one line of text as its version, found 3"),
        ({"protocol": "one\ntwo"}, "expected one line of text as its protocol"),
        ({"protocol": ""}, "does not say its protocol"),
        ({"higher_is_better": "lower"}, "expected True or False as higher_is_better, found 'lower'"),
        ({"symmetric": 0, "dtype": 16}, "its dtype, found 16; expected True or False as symmetric, found 0"),
    ],
)
def test_what_a_metric_says_of_itself_must_be_possible(said: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make(request("Changed", **said), Options())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Ends", "cannot be made: SystemExit: usage: other.py FILE"),
        ("Broken", "cannot be made: RuntimeError: not installed"),
        ("KindLess", "found the class KindLess, which is none of them"),
        ("TwoKinds", "found the class TwoKinds, which is EmbeddingMetric and PairwiseMetric"),
        ("WrongOptions", r"expected names of fields of nearid_cli.options.Options .* found \('colour',\)"),
        ("OptionsText", "fields .* found 'device'"),
        ("Missing", r"test_making.py\) has no Missing"),
    ],
)
def test_a_class_that_cannot_be_used_is_one_line(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        make(request(name), Options())
    assert "\n" not in str(caught.value)


def test_scores_of_an_embedding_are_cosines() -> None:
    with pytest.raises(UsageError, match="are cosines, from -1 to 1"):
        spec_of("mine", Vector())


def test_a_module_that_ends_python_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ending_script.py").write_text("import sys\nsys.exit(0)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="cannot be imported: SystemExit: 0"):
        make(MetricRequest("mine", "", plugin="ending_script:Any"), Options())


def test_a_frozen_class_can_be_a_metric() -> None:
    assert make(request("Frozen", sigma=2.0), Options()).settings == {"sigma": 2.0}


def test_content_of_a_checkpoint_counts_where_the_metric_does_not_name_it(tmp_path: Path) -> None:
    weights = tmp_path / "weights.pt"

    def known_by(content: str) -> str:
        weights.write_text(content)
        metric = make(request("Silent", checkpoint=str(weights)), Options())
        return plugin_fingerprint("mine", metric, metric.settings)

    assert known_by("one") != known_by("two")
    assert known_by("one") == known_by("one")


def test_modules_beside_a_plug_in_are_found_when_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my metrics"
    folder.mkdir()
    (folder / "late_helper.py").write_text("VALUE = 0.25\n")
    (folder / "late_metric.py").write_text(
        f"from {__name__} import Half\n\n\n"
        "class Late(Half):\n    def load(self, device):\n        import late_helper\n\n"
        "        self.value = late_helper.VALUE\n"
    )
    monkeypatch.setattr(sys, "path", sys.path.copy())
    metric = make(MetricRequest("late", "", plugin="late_metric:Late", folder=str(folder)), Options())
    metric.load("cpu")
    assert vars(metric)["value"] == 0.25
