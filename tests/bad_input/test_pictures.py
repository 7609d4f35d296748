"""Bad pictures among good ones: all are listed, the good are kept, --skip-bad goes on and says so."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from nearid_cli.embedding.cache import Cache
from nearid_cli.encoders.descriptors import HOG
from tests.commandline import Finished, Nearid, cached_digests
from tests.tiny import SIZE

from .conftest import COMMAND

LIMIT = 50_000
SCORE = ("score", "refs", "gens", "-m", "hog", "--format", "json")


@pytest.fixture
def bad(data: Path) -> dict[str, str]:
    """Bad pictures in references and generations: path -> the reason that is expected."""
    good = (data / "refs/cat/0.jpg").read_bytes()
    reasons = {}
    for folder in ("refs/cat", "gens/cup"):
        (data / folder / "truncated.jpg").write_bytes(good[: len(good) // 2])
        (data / folder / "empty.png").touch()
        (data / folder / "text.jpg").write_text("not a picture")
        Image.new("RGB", (300, 200)).save(data / folder / "large.png")
        (data / folder / "dead.png").symlink_to("nowhere.png")
        (data / folder / "loop.png").symlink_to("loop.png")
        reasons |= {
            f"{folder}/truncated.jpg": "truncated JPEG",
            f"{folder}/empty.png": "empty file",
            f"{folder}/text.jpg": "not an image: text",
            f"{folder}/large.png": "60,000 px is over the limit of 50,000 px; raise it with --max-pixels",
            f"{folder}/dead.png": "dead symlink to nowhere.png",
            f"{folder}/loop.png": "too many levels of symbolic links",
        }
    return reasons


def kept() -> set[bytes]:
    """The digests of the pictures whose embedding is in the cache."""
    return cached_digests(Cache(Path(os.environ["NEARID_CACHE"])), HOG)


def parts() -> set[Path]:
    return set(Path(os.environ["NEARID_CACHE"]).glob("embeddings/*/*.parquet"))


def test_all_are_listed_and_the_good_are_kept(nearid: Nearid, bad: dict[str, str]) -> None:
    finished = nearid(*SCORE, "--max-pixels", LIMIT)
    assert finished.error.startswith("12 pictures of 27 cannot be used; the others are embedded and cached")
    assert "--skip-bad" in finished.error
    assert dict(line.split(": ", 1) for line in finished.details) == bad
    assert len(kept()) == 15


def test_skip_bad_goes_on_and_records_each(nearid: Nearid, data: Path, bad: dict[str, str]) -> None:
    nearid(*SCORE, "--max-pixels", LIMIT)
    before = parts()
    finished = nearid(*SCORE, "--max-pixels", LIMIT, "--skip-bad")
    assert finished.code == 0, finished.err
    assert parts() == before  # nothing was embedded again
    found = json.loads(finished.out)
    assert {skipped["path"]: skipped["reason"] for skipped in found["inputs"]["skipped"]} == bad
    assert (found["inputs"]["reference_images"], found["inputs"]["generation_images"]) == (6, 9)
    assert "warning: 12 pictures skipped: " in finished.err
    for path in bad:
        (data / path).unlink()
    without = json.loads(nearid(*SCORE).out)
    assert (found["subjects"], found["images"]) == (without["subjects"], without["images"])


def test_bad_pictures_alone_load_no_model(
    nearid: Nearid, data: Path, checkpoint: Path, bad: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("score", "refs", "gens", "-m", "nearid=checkpoint", "--format", "json", "--skip-bad")
    cold = json.loads(nearid(*arguments, "--max-pixels", LIMIT).out)
    monkeypatch.setattr("nearid_cli.encoders.load.load_model", None)
    warm = json.loads(nearid(*arguments, "--max-pixels", LIMIT).out)
    assert {**warm, "created": None} == {**cold, "created": None}
    assert len(warm["inputs"]["skipped"]) == len(bad)


def test_a_subject_that_loses_all_its_references(nearid: Nearid, data: Path) -> None:
    for path in (data / "refs/cat").iterdir():
        path.write_bytes(b"")
    finished = nearid(*SCORE, "--skip-bad")
    assert "1 without a counterpart" in finished.error
    assert "--allow-unmatched" in finished.error
    assert finished.details == ["cat: none of its references can be read"]
    found = json.loads(nearid(*SCORE, "--skip-bad", "--allow-unmatched").out)
    assert found["inputs"]["unmatched"] == ["cat: none of its references can be read"]
    assert [subject["subject"] for subject in found["subjects"]] == ["cup", "ship"]
    assert len(found["inputs"]["skipped"]) == 2


def test_no_subject_left(nearid: Nearid, data: Path) -> None:
    for path in data.glob("refs/*/*"):
        path.write_bytes(b"")
    finished = nearid(*SCORE, "--skip-bad", "--allow-unmatched")
    assert finished.error == "no subject is left with a readable reference and a readable generation"


@pytest.mark.parametrize("command", ["embed", "pair"])
def test_embed_and_pair_list_them_too(nearid: Nearid, data: Path, bad: dict[str, str], command: str) -> None:
    given = ["refs/cat/empty.png", "refs/cat/text.jpg"]
    finished = nearid(command, *given, "-m", "hog", *(("-o", "e.parquet") if command == "embed" else ()))
    assert finished.details == [f"{path}: {bad[path]}" for path in given]
    assert not (data / "e.parquet").exists()


def test_what_permissions_forbid(data: Path, powerless: list[str], run: Callable[..., Finished]) -> None:
    (data / "refs/cat/0.jpg").chmod(0)
    finished = run([*powerless, *COMMAND, *SCORE])
    assert finished.details == ["refs/cat/0.jpg: permission denied"]
    assert len(kept()) == 14
    finished = run([*powerless, *COMMAND, *SCORE, "--skip-bad"])
    assert json.loads(finished.out)["inputs"]["skipped"] == [
        {"path": "refs/cat/0.jpg", "reason": "permission denied"}
    ]
    (data / "gens/cup").chmod(0)
    try:
        assert run([*powerless, *COMMAND, *SCORE]).error == "cannot read folder gens/cup: Permission denied"
    finally:
        (data / "gens/cup").chmod(0o755)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_and_folders_named_like_pictures(
    data: Path, run: Callable[..., Finished], nearid: Nearid
) -> None:
    os.mkfifo(data / "gens/cat/pipe.png")
    (data / "gens/cat/folder.png").mkdir()
    shutil.copy2(data / "gens/cat/0.png", data / "gens/cat/folder.png/deeper.png")
    finished = run([*COMMAND, *SCORE])  # a process: one that opened the pipe would wait for ever
    assert finished.code == 0, finished.err
    assert "left out: not regular files (1: cat/pipe.png)" in finished.err
    assert "cat/folder.png/deeper.png" in [image["path"] for image in json.loads(finished.out)["images"]]
    # Given by name they are bad pictures, as they are in a manifest.
    finished = run([*COMMAND, "pair", "gens/cat/pipe.png", "gens/cat/folder.png", "-m", "hog"])
    assert finished.details == [
        "gens/cat/pipe.png: is not a regular file",
        "gens/cat/folder.png: is a directory",
    ]
    rows = [
        "refs/cat/0.jpg,cat,reference",
        "gens/cat/0.png,cat,generation",
        "gens/cat/pipe.png,cat,generation",
    ]
    (data / "all.csv").write_text("\n".join(["path,subject,role", *rows]))
    finished = run([*COMMAND, "score", "all.csv", "-m", "hog"])
    assert finished.details == ["line 4: gens/cat/pipe.png is not a regular file"]


def test_the_same_picture_several_times(nearid: Nearid, data: Path) -> None:
    shutil.copy2(data / "refs/cat/0.jpg", data / "refs/cat/again.jpg")
    shutil.copy2(data / "refs/cup/0.jpg", data / "gens/cup/copied.jpg")
    found = json.loads(nearid(*SCORE).out)
    assert len(kept()) == 15
    counts = {
        subject["subject"]: (subject["references"], subject["generations"]) for subject in found["subjects"]
    }
    # A reference that is another byte for byte counts once.
    assert counts == {"cat": (2, 3), "cup": (2, 4), "ship": (2, 3)}
    copied = {image["path"]: image["copy_of"] for image in found["images"] if image["copy_of"]}
    assert copied == {"cup/copied.jpg": "cup/0.jpg"}


def unusual(photograph: Image.Image) -> dict[str, bytes]:
    """Files that are good pictures all the same."""

    def saved(image: Image.Image, kind: str, **options: object) -> bytes:
        file = io.BytesIO()
        image.save(file, kind, **options)
        return file.getvalue()

    small = photograph.resize((90, 60))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    deep = Image.fromarray(np.asarray(small.convert("L")).astype(np.uint16) * 257)
    other = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return {
        "rotated.jpg": saved(small, "JPEG", exif=exif),
        "cmyk.jpg": saved(small.convert("CMYK"), "JPEG"),
        "deep.png": saved(deep, "PNG"),
        "animated.gif": saved(small, "GIF", save_all=True, append_images=[other]),
        "mislabelled.jpg": saved(small.convert("RGBA"), "PNG"),
        "UPPER.PNG": saved(small.convert("P"), "PNG"),
    }


def test_unusual_pictures_equal_a_direct_computation(
    nearid: Nearid, data: Path, checkpoint: Path, photographs: dict[str, Image.Image]
) -> None:
    import torch
    from transformers import AutoModel

    files = unusual(photographs["chelsea"])
    for name, content in files.items():
        (data / "gens/cat" / name).write_bytes(content)
    command = (
        "score",
        "refs",
        "gens",
        "-m",
        "nearid=checkpoint,hog",
        "--format",
        "json",
        "--sixteen-bit",
        "clip",
    )
    finished = nearid(*command)
    assert finished.code == 0, finished.err
    found = {image["path"]: image["scores"] for image in json.loads(finished.out)["images"]}

    model = AutoModel.from_pretrained(checkpoint, dtype=torch.float32).eval()

    def embedding(image: Image.Image) -> np.ndarray:
        resized = image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.asarray(resized).astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
        with torch.no_grad():
            return model.get_image_features(pixels)[0].double().numpy()

    references = [embedding(Image.open(data / f"refs/cat/{index}.jpg").convert("RGB")) for index in range(2)]
    for name, content in files.items():
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
        expected = np.mean([embedding(upright) @ reference for reference in references])
        assert found[f"cat/{name}"]["nearid"] == pytest.approx(expected, abs=1e-5), name
        assert 0 < found[f"cat/{name}"]["hog"] <= 1
    turned = Image.open(io.BytesIO(files["rotated.jpg"])).convert("RGB")
    assert (
        abs(np.mean([embedding(turned) @ one for one in references]) - found["cat/rotated.jpg"]["nearid"])
        > 1e-4
    )
