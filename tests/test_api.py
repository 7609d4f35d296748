"""The Python API: what the commands do, for notebooks."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import nearid_cli
from nearid_cli.errors import BadImagesError, InputError, ModelError, UsageError
from tests.tiny import change_weights, tiny_vit


def test_score_gives_the_result_of_the_command(data: Path) -> None:
    result = nearid_cli.score(data / "refs", str(data / "gens"), "hog", cache=str(data / "kept"))
    assert (data / "kept" / "format").exists()
    frame = result.to_pandas()
    assert frame["hog_score"].tolist() == [subject.scores["hog"].score for subject in result.subjects]
    assert frame["subject"].tolist() == ["cat", "cup", "ship"]
    assert result.to_dict()["aggregate"]["hog"]["score"] == pytest.approx(frame["hog_score"].mean())
    assert "ship" in result._repr_html_()


def test_compare_takes_folders_and_finished_results(data: Path) -> None:
    (data / "methods").mkdir()
    (data / "gens").rename(data / "methods/ours")
    shutil.copytree(data / "methods/ours", data / "methods/theirs")
    kept = {"cache": str(data / "kept")}
    found = nearid_cli.compare(data / "methods", data / "refs", "hog", baseline="ours", **kept)
    assert [comparison.delta for comparison in found.comparisons] == [0.0]
    assert found.to_pandas().set_index("method").loc["theirs", "hog_delta"] == 0.0
    assert "theirs" in found._repr_html_()
    folders = {name: data / "methods" / name for name in ("ours", "theirs")}
    by_name = nearid_cli.compare(folders, data / "refs", ["hog"], **kept)
    assert by_name.methods == tuple(
        replace(m, result=n.result) for m, n in zip(found.methods, by_name.methods, strict=True)
    )
    finished = {
        name: nearid_cli.score(data / "refs", folder, "hog", **kept) for name, folder in folders.items()
    }
    assert nearid_cli.compare(finished).comparisons == by_name.comparisons
    both = nearid_cli.compare({"ours": finished["ours"], "theirs": folders["theirs"]}, data / "refs", **kept)
    assert both.comparisons == by_name.comparisons


def test_distractors_give_margins(data: Path) -> None:
    result = nearid_cli.score(
        data / "refs", data / "gens", "hog", distractors=data / "gens", cache=str(data / "kept")
    )
    (cat, *_) = result.subjects
    # Every generation is among its own distractors, so no margin can be above 0.
    assert cat.scores["hog"].positive_margins == 0
    low, high = cat.scores["hog"].positive_margins_ci95
    assert (low, high) == pytest.approx((0, 0.708), abs=1e-3)  # 0 of 3 is no certainty
    of_all = result.aggregate["hog"].positive_margins_ci95
    assert of_all == pytest.approx((0, 0.708), abs=1e-3)  # nor are 3 subjects
    assert cat.scores["hog"].margin == pytest.approx(cat.scores["hog"].score - 1)
    # Counters of which some are beside no reference say nothing of contexts.
    assert result.aggregate["hog"].pa is None
    assert 0 <= result.aggregate["hog"].all_pairs_pa <= 1


def test_copies_are_warned_about(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    (data / "gens/cat/9.jpg").write_bytes((data / "refs/cat/1.jpg").read_bytes())
    with caplog.at_level(logging.WARNING):
        nearid_cli.score(data / "refs", data / "gens", ["hog"])
    assert "1 copied reference among the generations" in caplog.text


def test_an_encoder_embeds_paths_and_pictures_alike(data: Path, checkpoint: Path) -> None:
    paths = sorted((data / "refs").rglob("*.jpg"))
    encoder = nearid_cli.load_encoder(f"nearid={checkpoint}", batch_size=4)
    rows = encoder.embed(paths)
    assert rows.shape == (6, 32)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(encoder.embed([Image.open(path) for path in paths]), rows, atol=1e-6)
    pair = nearid_cli.pair(paths[0], paths[1], f"nearid={checkpoint}")
    assert pair.similarity["nearid"] == pytest.approx(float(rows[0] @ rows[1]), abs=1e-6)
    assert encoder.spec.name == "nearid"


def test_an_encoder_refuses_rows_that_are_no_embeddings(data: Path, tmp_path: Path) -> None:
    def silence(weights: dict[str, torch.Tensor]) -> None:
        for name in ("weight", "bias"):
            weights[f"layernorm.{name}"].zero_()  # so that every CLS token is zero

    broken = change_weights(tiny_vit(tmp_path / "broken"), silence)
    paths = sorted((data / "refs").rglob("*.jpg"))[:2]
    with pytest.raises(ModelError, match="embeddings that are not finite numbers, from x; ") as error:
        nearid_cli.load_encoder(f"x={broken}").embed([paths[0], Image.open(paths[1])])
    assert error.value.details == (str(paths[0]), "images[1]")


def test_a_host_programs_autocast_does_not_reach_the_cache(data: Path, checkpoint: Path) -> None:
    arguments = (data / "refs", data / "gens", f"nearid={checkpoint}")
    with torch.autocast("cpu", torch.bfloat16):
        cold = nearid_cli.score(*arguments)
    assert nearid_cli.score(*arguments).aggregate == cold.aggregate
    assert nearid_cli.score(*arguments, use_cache=False).aggregate == cold.aggregate


def test_errors_say_everything_where_only_the_exception_is_shown(data: Path) -> None:
    (data / "refs/cat/broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"cannot be used.*--skip-bad\n  .*broken.png: not an image"):
        nearid_cli.score(data / "refs", data / "gens", "hog")
    with pytest.raises(BadImagesError, match=r"broken\.png: not an image"):
        nearid_cli.load_encoder("hog").embed([data / "refs/cat/broken.png", data / "refs/cat/0.jpg"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nearid_cli.score("r", "g", []), "expected at least one metric"),
        (
            lambda: nearid_cli.score("r", "g", "hog", devise="cpu"),
            'unknown parameter "devise": did you mean device',
        ),
        (lambda: nearid_cli.load_encoder("hog,dino"), "expected one metric, found 2"),
        (lambda: nearid_cli.load_encoder("hog").embed("a.png"), "expected several pictures, found one"),
        (lambda: nearid_cli.load_encoder("hog").embed(Image.new("RGB", (9, 9))), "expected several pictures"),
        (
            lambda: nearid_cli.load_encoder("hog").embed([3]),
            r"images\[0\]: expected a path, a PIL image or .*, found int",
        ),
        (lambda: nearid_cli.load_encoder("hog").embed([]), "expected at least one picture"),
    ],
)
def test_slips_are_named(call, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()
