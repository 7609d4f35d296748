"""`nearid score` end to end: the schema, the numbers, the warm run, the outputs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch
from PIL import Image, ImageOps

import nearid_cli
from tests.commandline import Nearid

SUBJECTS = ("cat", "cup", "ship")


def direct_embeddings(checkpoint: Path, paths: list[Path]) -> np.ndarray:
    """The reference computation, by transformers alone."""
    from transformers import AutoModel
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    model = AutoModel.from_pretrained(checkpoint, dtype=torch.float32).eval()
    processor = SiglipImageProcessorPil.from_pretrained(checkpoint)
    images = [ImageOps.exif_transpose(Image.open(path)).convert("RGB") for path in paths]
    with torch.no_grad():
        return (
            model.get_image_features(processor(images=images, return_tensors="pt")["pixel_values"])
            .double()
            .numpy()
        )


@pytest.fixture
def expected(data: Path, checkpoint: Path) -> dict[str, Any]:
    """Scores computed the long way round."""
    references = {s: direct_embeddings(checkpoint, sorted((data / "refs" / s).iterdir())) for s in SUBJECTS}
    generations = {s: direct_embeddings(checkpoint, sorted((data / "gens" / s).iterdir())) for s in SUBJECTS}
    result: dict[str, Any] = {}
    for subject in SUBJECTS:
        pairs = generations[subject] @ references[subject].T
        others = np.concatenate([references[other] for other in SUBJECTS if other != subject])
        means = {other: (generations[subject] @ references[other].T).mean(axis=1) for other in SUBJECTS}
        score, ceiling = pairs.mean(), references[subject][0] @ references[subject][1]
        strangers = (generations[subject] @ others.T).mean(axis=1)
        floor = strangers.mean()
        noise = np.hypot(pairs.std(ddof=1), strangers.std(ddof=1) / np.sqrt(3))
        within_noise = ceiling - floor <= 2 * noise
        among = (generations[subject] @ generations[subject].T)[np.triu_indices(3, 1)]
        near = pairs.max(axis=1) > ceiling
        wins = [subject == max(means, key=lambda other: means[other][row]) for row in range(3)]
        result[subject] = {
            "score": score,
            "std": pairs.mean(axis=1).std(ddof=1),
            "min": pairs.mean(axis=1).min(),
            "max": pairs.mean(axis=1).max(),
            "ceiling": ceiling,
            "floor": floor,
            "retention": None if within_noise else (score - floor) / (ceiling - floor),
            **({"within_noise": True} if within_noise else {}),
            "identification": np.mean(wins),
            "identification_ci95": scipy.stats.binomtest(sum(wins), 3).proportion_ci(method="exact"),
            "closest": ceiling,
            "near_copies": near.sum(),
            "diversity": 1 - among.mean(),
            "images": pairs.mean(axis=1),
            "near": [
                f"{subject}/{row.argmax()}.jpg" if hit else None for row, hit in zip(pairs, near, strict=True)
            ],
        }
    return result


def test_the_schema_and_the_numbers(
    nearid: Nearid, data: Path, checkpoint: Path, expected: dict[str, Any]
) -> None:
    finished = nearid("score", "refs", "gens", "--metric", "nearid=checkpoint", "--format", "json")
    assert finished.code == 0, finished.err
    found = json.loads(finished.out)
    assert list(found) == [
        "schema",
        "tool",
        "created",
        "inputs",
        "metrics",
        "subjects",
        "aggregate",
        "images",
    ]
    assert found["schema"] == "nearid.score/2"
    assert found["tool"] == {"name": "nearid-cli", "version": nearid_cli.__version__}
    assert found["created"].endswith("+00:00")
    assert found["inputs"] == {
        "references": "refs",
        "generations": "gens",
        "layout": "folders",
        "subjects": 3,
        "reference_images": 6,
        "generation_images": 9,
        "skipped": [],
        "unmatched": [],
    }
    (metric,) = found["metrics"]
    assert list(metric) == [
        "name",
        "checkpoint",
        "revision",
        "fingerprint",
        "readout",
        "dtype",
        "preprocessing",
        "protocol",
    ]
    assert (metric["name"], metric["checkpoint"], metric["dtype"]) == ("nearid", "checkpoint", "float32")
    assert [entry["subject"] for entry in found["subjects"]] == list(SUBJECTS)
    for entry in found["subjects"]:
        assert (entry["references"], entry["generations"]) == (2, 3)
        scores, truth = entry["scores"]["nearid"], expected[entry["subject"]]
        assert set(scores) == {*truth, "ci95"} - {"images", "near"}
        for number in set(scores) - {"ci95"}:
            assert scores[number] == pytest.approx(truth[number], abs=1e-5), number
        low, high = scipy.stats.t.interval(0.95, 2, truth["score"], truth["std"] / np.sqrt(3))
        assert -1 <= scores["ci95"][0] <= max(low, -1) + 1e-5
        assert min(high, 1) - 1e-5 <= scores["ci95"][1] <= 1
    aggregate = found["aggregate"]["nearid"]
    for number in ("score", "ceiling", "floor", "identification"):
        assert aggregate[number] == pytest.approx(np.mean([expected[s][number] for s in SUBJECTS]), abs=1e-5)
    gain, room = (
        np.mean([expected[s][number] - expected[s]["floor"] for s in SUBJECTS])
        for number in ("score", "ceiling")
    )
    assert aggregate["retention"] == pytest.approx(gain / room, abs=1e-4)
    assert aggregate["pair_mean"] == pytest.approx(aggregate["score"], abs=1e-9)  # equally many pairs each
    assert [image["path"] for image in found["images"]] == [
        f"{s}/{i}.png" for s in SUBJECTS for i in range(3)
    ]
    for image in found["images"]:
        own, place = expected[image["subject"]], int(Path(image["path"]).stem)
        truth, near = own["images"][place], own["near"][place]
        image.pop("near_copy_similarity", None)
        assert image == {
            "path": image["path"],
            "subject": image["subject"],
            "copy_of": None,
            "scores": {"nearid": pytest.approx(truth, abs=1e-5)},
            **({"near_copy_of": {"nearid": near}} if near else {}),
        }


def test_a_warm_run_gives_identical_numbers_without_torch(
    nearid: Nearid, data: Path, checkpoint: Path
) -> None:
    arguments = ["score", "refs", "gens", "--metric", "nearid=checkpoint", "--format", "json"]
    cold = json.loads(nearid(*arguments).out)
    program = (
        "import sys; from nearid_cli.cli.app import main; code = main(sys.argv[1:]);"
        "heavy = {'torch', 'transformers', 'pandas', 'scipy', 'skimage', 'PIL'} & set(sys.modules);"
        "print(sorted(heavy), file=sys.stderr); sys.exit(code)"
    )
    files = [part for name in ("r.json", "r.csv", "r.parquet") for part in ("-o", name)]
    warm = subprocess.run(
        [sys.executable, "-c", program, *arguments, *files],
        cwd=data,
        capture_output=True,
        text=True,
        check=True,
    )
    assert warm.stderr.splitlines()[-1] == "[]"
    found = json.loads(warm.stdout)
    assert {**found, "created": None} == {**cold, "created": None}


def test_hog_takes_no_torch_even_where_nothing_is_cached(data: Path) -> None:
    program = (
        "import sys; from nearid_cli.cli.app import main; code = main(sys.argv[1:]);"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    cold = subprocess.run(
        [sys.executable, "-c", program, "score", "refs", "gens", "--metric", "hog"],
        cwd=data,
        capture_output=True,
        text=True,
        check=True,
    )
    assert cold.stderr.splitlines()[-1] == "[]"


def test_batch_size_and_workers_change_nothing_that_matters(
    nearid: Nearid, data: Path, checkpoint: Path
) -> None:
    def scores(*arguments: str) -> np.ndarray:
        finished = nearid(
            "score",
            "refs",
            "gens",
            "--metric",
            "nearid=checkpoint",
            "--format",
            "json",
            "--no-cache",
            *arguments,
        )
        return np.array([image["scores"]["nearid"] for image in json.loads(finished.out)["images"]])

    base = scores()
    for arguments in (["--batch-size", "1"], ["--batch-size", "4", "--workers", "1"]):
        np.testing.assert_allclose(scores(*arguments), base, atol=1e-5)


def test_several_metrics_side_by_side(nearid: Nearid, data: Path, checkpoint: Path) -> None:
    finished = nearid(
        "score", "refs", "gens", "-m", "nearid=checkpoint,hog", "-m", "checkpoint::mean", "--format", "json"
    )
    assert finished.code == 0, finished.err
    found = json.loads(finished.out)
    assert list(found["aggregate"]) == ["nearid", "hog", "checkpoint::mean"]
    assert len({metric["fingerprint"] for metric in found["metrics"]}) == 3


def test_outputs_read_back(nearid: Nearid, data: Path) -> None:
    finished = nearid(
        *("score", "refs", "gens", "-m", "hog", "-o", "run.json", "-o", "run.csv", "-o", "run.parquet"),
        *(
            "-o",
            "run.md",
            "--images",
            "images.csv",
            "--images",
            "images.parquet",
            "--sort",
            "hog",
            "--worst",
            "2",
        ),
    )
    assert finished.code == 0, finished.err
    result = json.loads((data / "run.json").read_text())
    frame = pd.read_csv(data / "run.csv", index_col="subject")
    assert sorted(frame.index) == list(SUBJECTS)
    assert frame["hog_score"].is_monotonic_increasing  # the worst first
    assert len(pd.read_parquet(data / "run.parquet")) == 3
    images = pd.read_csv(data / "images.csv")
    assert images["hog"].tolist() == [image["scores"]["hog"] for image in result["images"]]
    assert pd.read_parquet(data / "images.parquet")["hog"].tolist() == images["hog"].tolist()
    assert "| cat |" in (data / "run.md").read_text()
    assert "aggregate" in finished.out


def test_copies_are_marked_counted_and_warned_about(nearid: Nearid, data: Path) -> None:
    (data / "gens/cat/9.jpg").write_bytes((data / "refs/cat/1.jpg").read_bytes())
    Image.open(data / "refs/cup/0.jpg").resize((90, 75)).save(data / "gens/cup/9.jpg", quality=85)
    finished = nearid("score", "refs", "gens", "-m", "hog", "--format", "json")
    copies = {
        image["path"]: image["copy_of"] for image in json.loads(finished.out)["images"] if image["copy_of"]
    }
    assert copies == {"cat/9.jpg": "cat/1.jpg", "cup/9.jpg": "cup/0.jpg"}
    assert "warning: 2 copied references among the generations" in finished.err


def test_one_subject_has_neither_floor_nor_identification(nearid: Nearid, data: Path) -> None:
    finished = nearid("score", "refs/cat", "gens/cat", "-m", "hog", "--format", "json")
    scores = json.loads(finished.out)["subjects"][0]["scores"]["hog"]
    assert scores["floor"] is scores["retention"] is scores["identification"] is None
    assert scores["ceiling"] is not None


def test_stdout_carries_the_result_alone(nearid: Nearid, data: Path) -> None:
    finished = nearid("score", "refs", "gens", "-m", "hog", "--format", "json")
    json.loads(finished.out)
    assert finished.err == (
        "layout folders: 3 subjects, 6 references, 9 generations\n"
        "warning: rough intervals: that of the aggregate on 3 subjects, those of subjects on 3 or 4 generations each; "
        "below 5 they rest on an assumed shape\n"
    )


def test_no_colour_and_no_bars_in_a_pipe(process: Callable[..., subprocess.Popen[str]], data: Path) -> None:
    out, err = process("score", "refs", "gens", "-m", "hog").communicate(timeout=120)
    assert "\x1b" not in out + err
    assert "img/s" not in err
    assert "aggregate" in out


def test_configuration_below_environment_below_flags(
    nearid: Nearid, data: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "nearid.toml").write_text(
        'metric = ["ours", "hog"]\ncache = "kept here"\n[metrics.ours]\ncheckpoint = "checkpoint"\n'
    )

    def metrics(*arguments: str) -> list[str]:
        finished = nearid("score", "refs", "gens", "--format", "json", *arguments)
        assert finished.code == 0, finished.err
        return [metric["name"] for metric in json.loads(finished.out)["metrics"]]

    assert metrics() == ["ours", "hog"]
    monkeypatch.delenv("NEARID_CACHE")
    assert metrics() == ["ours", "hog"]
    assert (data / "kept here" / "format").exists()
    monkeypatch.setenv("NEARID_METRIC", "hog")
    assert metrics() == ["hog"]
    assert metrics("--metric", "ours") == ["ours"]


def test_a_manifest_in_place_of_folders(nearid: Nearid, data: Path) -> None:
    rows = ["path,subject,role"]
    rows += [f"refs/{s}/{i}.jpg,{s},reference" for s in SUBJECTS for i in range(2)]
    rows += [f"gens/{s}/{i}.png,{s},generation" for s in SUBJECTS for i in range(3)]
    (data / "all.csv").write_text("\n".join(rows))
    by_manifest = json.loads(nearid("score", "all.csv", "-m", "hog", "--format", "json").out)
    by_folders = json.loads(nearid("score", "refs", "gens", "-m", "hog", "--format", "json").out)
    assert by_manifest["aggregate"] == by_folders["aggregate"]


def test_nothing_is_written_beside_the_inputs(nearid: Nearid, data: Path) -> None:
    before = sorted(os.walk(data))
    assert nearid("score", "refs", "gens", "-m", "hog").code == 0
    assert sorted(os.walk(data)) == before


def test_labels_of_a_manifest_reach_every_output(nearid: Nearid, data: Path) -> None:
    rows = [f"refs/{s}/{i}.jpg,{s},reference,,,x\n" for s in SUBJECTS for i in range(2)]
    rows += [f"gens/{s}/{i}.png,{s},generation,{i}00,,{s} no. {i}\n" for s in SUBJECTS for i in range(3)]
    (data / "m.csv").write_text("path,subject,role,Step,empty,my note\n" + "".join(rows))
    outputs = ("-o", "r.json", "--images", "i.csv", "--images", "i.parquet")
    assert nearid("score", "m.csv", "-m", "hog", *outputs).code == 0
    expected = [{"step": f"{i}00", "my note": f"{s} no. {i}"} for s in SUBJECTS for i in range(3)]
    assert [image["labels"] for image in json.loads((data / "r.json").read_text())["images"]] == expected
    for frame in (pd.read_csv(data / "i.csv", dtype={"step": str}), pd.read_parquet(data / "i.parquet")):
        assert list(frame.columns) == ["path", "subject", "copy_of", "step", "my note", "hog"]
        assert frame[["step", "my note"]].to_dict("records") == expected


@pytest.mark.parametrize(("steps", "said"), [(3, True), (1, False)])
def test_steps_that_are_scored_together_are_said(nearid: Nearid, data: Path, steps: int, said: bool) -> None:
    """Whatever other labels there are, and if only some generations have a step."""
    rows = [f"refs/{s}/{i}.jpg,{s},reference,," for s in SUBJECTS for i in range(2)]
    rows += [f"gens/cat/{i}.png,cat,generation,{100 * (i % steps)}," for i in range(3)]
    rows += [f"gens/{s}/{i}.png,{s},generation,,a note" for s in SUBJECTS[1:] for i in range(3)]
    (data / "m.csv").write_text("\n".join(["path,subject,role,step,note", *rows]))
    finished = nearid("score", "m.csv", "-m", "hog")
    assert finished.code == 0, finished.err
    assert ("generations of 3 steps are scored together: 0, 100, 200" in finished.err) == said
    assert ("scored together" in finished.err) == said
