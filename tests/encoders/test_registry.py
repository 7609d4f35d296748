from __future__ import annotations

from pathlib import Path

import pytest

from nearid_cli.encoders.registry import (
    REGISTRY,
    SHIPPED,
    MetricRequest,
    known_metrics,
    parse_metrics,
)
from nearid_cli.errors import UsageError
from nearid_cli.flags import DEFAULT_METRICS


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def one(text: str) -> MetricRequest:
    (metric,) = parse_metrics([text])
    return metric


def test_registry_is_the_table_of_the_design() -> None:
    assert {name: (metric.checkpoint, metric.readout) for name, metric in REGISTRY.items()} == {
        "nearid": ("Aleksandar/nearid-siglip2", "pooled"),
        "clip-i": ("openai/clip-vit-large-patch14", "projected"),
        "dino": ("facebook/dinov2-large", "cls"),
        "siglip2": ("google/siglip2-so400m-patch14-384", "pooled"),
        "siglip2-mean": ("google/siglip2-so400m-patch14-384", "mean"),
        "clip-i-b32": ("openai/clip-vit-base-patch32", "projected"),
        "dino-s16": ("facebook/dino-vits16", "cls"),
        "dino-s16-hf": ("facebook/dino-vits16", "cls"),
        "nearid-mini": (SHIPPED, "pooled"),
        "hog": ("", None),
        "clip-t": ("openai/clip-vit-large-patch14", "projected"),
        "clip-t-b32": ("openai/clip-vit-base-patch32", "projected"),
        **dict.fromkeys(("vsm", "vsm-0.5", "vsm-0.7"), ("abdo-eldesokey/mind-the-glitch", None)),
        "judge": ("", None),
        "face": ("opencv/face_recognition_sface", None),
    }
    assert [metric.name for metric in parse_metrics(DEFAULT_METRICS)] == ["nearid", "clip-i", "dino"]


@pytest.mark.parametrize(
    ("text", "name", "checkpoint", "readout", "revision"),
    [
        ("nearid", "nearid", "Aleksandar/nearid-siglip2", "pooled", None),
        ("nearid=org/mine", "nearid", "org/mine", "pooled", None),
        ("nearid=./mine", "nearid", "./mine", "pooled", None),
        ("siglip2-mean=./mine", "siglip2-mean", "./mine", "mean", None),
        ("mine=org/model", "mine", "org/model", None, None),
        ("mine=org/model@refs/pr/3::cls", "mine", "org/model", "cls", "refs/pr/3"),
        ("org/model", "org/model", "org/model", None, None),
        ("org/model@v1", "org/model@v1", "org/model", None, "v1"),
        ("nearid::mean", "nearid::mean", "Aleksandar/nearid-siglip2", "mean", None),
        ("nearid-mini::mean", "nearid-mini::mean", SHIPPED, "mean", None),
        ("nearid-mini=./mine", "nearid-mini", "./mine", "pooled", None),
        (f"mine={SHIPPED}", "mine", SHIPPED, None, None),
        ("nearid@abc", "nearid@abc", "Aleksandar/nearid-siglip2", "pooled", "abc"),
        ("~/models/x", "~/models/x", "~/models/x", None, None),
        ("/a/b@c", "/a/b@c", "/a/b@c", None, None),
        ("./lr=0.1/last", "./lr=0.1/last", "./lr=0.1/last", None, None),
    ],
)
def test_every_form_of_a_metric(
    text: str, name: str, checkpoint: str, readout: str | None, revision: str | None
) -> None:
    metric = one(text)
    assert (metric.name, metric.checkpoint, metric.readout, metric.revision) == (
        name,
        checkpoint,
        readout,
        revision,
    )


@pytest.mark.parametrize("name", ["plain", "org/model@v1", "a=b", "lr=1e-5/step@3"])
def test_a_folder_that_exists_is_taken_as_it_is(name: str) -> None:
    Path(name).mkdir(parents=True)
    assert one(name) == MetricRequest(name, name)


def test_a_name_wins_over_a_folder() -> None:
    Path("dino").mkdir()
    assert one("dino").checkpoint == "facebook/dinov2-large"
    assert one("./dino").checkpoint == "./dino"


def test_comma_lists_and_repeats_keep_their_order_and_merge() -> None:
    metrics = parse_metrics(["dino, nearid", "dino", "hog"])
    assert [metric.name for metric in metrics] == ["dino", "nearid", "hog"]
    with pytest.raises(UsageError, match="expected at least one metric"):
        parse_metrics([])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip_i", "did you mean clip-i"),
        ("zzz", "known: nearid"),
        ("x=zzz", "no folder here and no Hub id"),
        ("=org/model", "expected NAME=PATH_OR_ID"),
        ("nearid::pool", "did you mean pooled"),
        ("nearid::", "unknown readout"),
        ("org/model@../../etc", "branch, tag or commit"),
        ("org/model@", "branch, tag or commit"),
        ("hog=./x", "no checkpoint"),
        ("hog::mean", "no checkpoint"),
        ("nearid,,dino", "between commas"),
        ("", "between commas"),
        ("x=org/a,x=org/b", "two metrics have the name"),
        ("nearid,nearid=./mine", "two metrics have the name"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_metrics([text])


def test_a_file_is_not_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(UsageError, match=r"is a file; expected the folder"):
        one("nearid=./model.safetensors")


def test_names_from_the_outside_are_made_printable() -> None:
    Path("a\nb").mkdir()
    metric = one("./a\nb")
    assert metric.name == "./a\\nb"
    assert metric.checkpoint == "./a\nb"


def test_configured_metrics_add_to_the_registry_and_win() -> None:
    configured = {
        "mine": {"checkpoint": "org/mine", "readout": "mean", "revision": "v2"},
        "dino": {"checkpoint": "./d", "override": True},
    }
    mine, dino = parse_metrics(["mine,dino"], configured)
    assert (mine.checkpoint, mine.readout, mine.revision) == ("org/mine", "mean", "v2")
    assert (dino.checkpoint, dino.readout) == ("./d", None)
    assert list(known_metrics(configured)) == [*REGISTRY, "mine"]
    with pytest.raises(UsageError, match="did you mean mine"):
        parse_metrics(["minee"], configured)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("org/x", "expected a table"),
        ({}, "expected a checkpoint"),
        ({"checkpoint": "org/x", "readuot": "mean"}, "did you mean readout"),
        ({"checkpoint": "org/x", "readout": "men"}, "did you mean mean"),
        ({"checkpoint": 3}, "expected text for checkpoint"),
        ({"checkpoint": ""}, "expected text for checkpoint"),
    ],
)
def test_wrong_configuration_is_a_usage_error(table: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        known_metrics({"mine": table})
    with pytest.raises(UsageError, match="a name has letters"):
        known_metrics({"a b": {"checkpoint": "org/x"}})
