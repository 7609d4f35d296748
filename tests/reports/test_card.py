"""A model card's `model-index`, read back by huggingface_hub's own classes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

from nearid_cli.errors import UsageError
from nearid_cli.reports.files import write
from nearid_cli.results import AggregateScores


def read(path: Path) -> tuple[str, list[EvalResult]]:
    """The model and its results, as the Hub's client reads the card that has the file as its head."""
    text = path.read_text(encoding="utf-8")
    (index,) = yaml.safe_load(text).values()
    name, results = model_index_to_eval_results(index)
    card = ModelCard(f"---\n{text}---\n\n# A model\n")
    assert (card.data.model_name, card.data.eval_results) == (name, results)
    assert eval_results_to_model_index(name, results) == index  # there and back again
    assert yaml.safe_load(ModelCardData(model_name=name, eval_results=results).to_yaml()) == {
        "model-index": index
    }
    return name, results


def test_every_metric_with_its_interval_and_what_made_it(result, tmp_path):
    write(result, tmp_path / "card.yaml")
    name, found = read(tmp_path / "card.yaml")
    assert name == "gens"
    numbers = {one.metric_name: one for one in found}
    for metric in ("nearid", "clip-i", "dino"):
        scores = result.aggregate[metric]
        own = numbers[f"{metric} score"]
        assert (own.metric_type, own.metric_value) == (metric, scores.score)
        assert own.metric_args == {
            "ci95": list(scores.ci95),
            "checkpoint": f"org/{metric}",
            "revision": "abc123",
            "fingerprint": "f" * 8,
            "protocol": "all pairs",
        }
        assert numbers[f"{metric} retention"].metric_value == scores.retention
        assert numbers[f"{metric} identification"].metric_type == f"{metric}-identification"
    assert numbers["generations that copy a reference"].metric_value == 1
    assert len(numbers) == len(found) == 10
    (dataset,) = {(one.task_type, one.dataset_type, one.dataset_name) for one in found}
    assert dataset == ("text-to-image", "refs", "refs (2 subjects, 8 references, 1,200 generations)")
    assert found[0].source_name == "nearid-cli 0.1.0"


def test_both_extensions_are_one_format(result, tmp_path):
    write(result, tmp_path / "card.yaml")
    write(result, tmp_path / "card.yml")
    assert (tmp_path / "card.yaml").read_bytes() == (tmp_path / "card.yml").read_bytes()


def test_numbers_that_do_not_exist_are_left_out_and_named(result, tmp_path):
    lost = dataclasses.replace(result.aggregate["dino"], score=None, ci95=None, retention=None, missing=3)
    write(dataclasses.replace(result, aggregate={**result.aggregate, "dino": lost}), tmp_path / "card.yaml")
    _, found = read(tmp_path / "card.yaml")
    assert not {"dino score", "dino retention"}.intersection(one.metric_name for one in found)
    first = (tmp_path / "card.yaml").read_text().splitlines()[0]
    assert first == "# left out, because there is no such number: dino score, dino retention"
    (own,) = [one for one in found if one.metric_name == "dino identification"]
    assert own.metric_args["generations_without_a_number"] == 3


def test_no_number_at_all_is_no_card(result, tmp_path):
    nothing = AggregateScores(None, None, None, None, None, None, None)
    empty = dataclasses.replace(result, images=(), aggregate=dict.fromkeys(result.aggregate, nothing))
    with pytest.raises(UsageError, match="a model card needs a score, and no metric has one"):
        write(empty, tmp_path / "card.yaml")
    assert list(tmp_path.iterdir()) == []


def test_where_files_lie_is_nobodys_business(result, tmp_path):
    own = dataclasses.replace(result.metrics[0], checkpoint="/home/me/secret/step-9000", revision=None)
    given = dataclasses.replace(
        result.metrics[1], checkpoint="/home/me/secret/lpips.csv", higher_is_better=False
    )
    inputs = dataclasses.replace(
        result.inputs, references="/home/me/secret/refs of mine", generations="/home/me/secret/lora"
    )
    made = dataclasses.replace(result, metrics=(own, given, result.metrics[2]), inputs=inputs)
    write(made, tmp_path / "card.yaml")
    name, found = read(tmp_path / "card.yaml")
    assert "secret" not in (tmp_path / "card.yaml").read_text()
    assert (name, found[0].dataset_type) == ("lora", "refs-of-mine")
    arguments = {one.metric_type: one.metric_args for one in found}
    assert arguments["nearid"]["checkpoint"] == "step-9000"
    assert (arguments["clip-i"]["checkpoint"], arguments["clip-i"]["lower_is_better"]) == ("lpips.csv", True)


HOSTILE = ["yes", "- a: b", "a: b # c", "---", "'\"", "{a}", "null", "1e3", "Ünï 馬", " "]
CONTROL = ["a\nb: c", "\x1b[31m", "\udcff"]


@pytest.mark.parametrize("hostile", HOSTILE + CONTROL)
def test_names_are_names(result, make, tmp_path, hostile):
    made = make({"cat": 0.5}, metrics=("nearid", hostile))
    made = dataclasses.replace(
        made, inputs=dataclasses.replace(made.inputs, references=hostile, generations=hostile)
    )
    write(made, tmp_path / "card.yaml")
    name, found = read(tmp_path / "card.yaml")
    assert isinstance(name, str)
    shown = {"a\nb: c": r"a\nb: c", "\x1b[31m": r"\x1b[31m", "\udcff": r"\xff"}.get(hostile, hostile)
    assert {one.metric_type for one in found} >= {"nearid", shown}
    assert name == shown


def test_what_cannot_be_a_card(compared, gate, tmp_path):
    for other in (compared, gate([])):
        with pytest.raises(UsageError, match="a model card tells of one model: write it with nearid score"):
            write(other, tmp_path / "card.yaml")
