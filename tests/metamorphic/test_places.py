"""Order, names and places of files, and the state of caches, change no number."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.commandline import Nearid
from tests.metamorphic.planted import SUBJECTS, assert_alike, lay, numbers, score
from tests.tiny import tiny_clip

Pictures = dict[str, bytes]


@pytest.fixture
def plain(root: Path) -> dict[str, Any]:
    """The numbers of the data set as it stands."""
    return numbers(score(root))


def manifest(root: Path, pictures: Pictures, name: str = "m.csv", before: str = "") -> Path:
    """A manifest of references and of method `a`, in the order of the pictures."""
    rows = ["path,subject,role"]
    for path in pictures:
        side, subject, _ = path.split("/")
        if side in ("refs", "a"):
            rows.append(f"{before}{path},{subject},{'reference' if side == 'refs' else 'generation'}")
    (root / name).write_text("\n".join(rows))
    return root / name


def of_manifest(path: Path, **options: Any) -> dict[str, Any]:
    """The numbers of a manifest, with the paths that folders would have."""
    import nearid_cli

    text = json.dumps(numbers(nearid_cli.score(path, metrics=["hog"], progress=False, **options)))
    for side in ("refs", "a"):
        text = text.replace(f'"{side}/', '"').replace(f'"{path.parent}/{side}/', '"')
    found = json.loads(text)
    found["subjects"].sort(key=lambda one: one["subject"])
    found["images"].sort(key=lambda one: one["path"])
    return dict(found)


def test_the_order_in_which_files_were_written(root: Path, pictures: Pictures, plain: dict[str, Any]) -> None:
    for order in (sorted(pictures, reverse=True), random.Random(1).sample([*pictures], len(pictures))):
        lay(root, pictures, order)
        assert numbers(score(root)) == plain


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1000))
def test_the_order_of_rows(root: Path, pictures: Pictures, plain: dict[str, Any], seed: int) -> None:
    shuffled = random.Random(seed).sample([*pictures.items()], len(pictures))
    assert_alike(of_manifest(manifest(root, dict(shuffled))), json.loads(json.dumps(plain)))


def test_paths_from_where_and_how(
    root: Path, pictures: Pictures, plain: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    absolute = manifest(root, pictures, before=f"{root}/")
    assert_alike(of_manifest(absolute), json.loads(json.dumps(plain)))
    for folder, way in ((root, "."), (root / "a", ".."), (root.parent, root.name)):
        monkeypatch.chdir(folder)
        assert numbers(score(Path(way))) == plain


def test_hard_copies_links_and_folders_that_are_links(
    tmp_path: Path, root: Path, pictures: Pictures, plain: dict[str, Any]
) -> None:
    (tmp_path / "link").symlink_to(root)
    assert numbers(score(tmp_path / "link")) == plain
    for name in pictures:
        for kind, link in (("hard", os.link), ("soft", os.symlink)):
            place = tmp_path / kind / name
            place.parent.mkdir(parents=True, exist_ok=True)
            link(root / name, place)
    assert numbers(score(tmp_path / "hard")) == plain
    assert numbers(score(tmp_path / "soft", follow_symlinks=True)) == plain
    within = root / "a/cat/3.png"
    within.rename(root / "a/.kept.png")
    within.symlink_to("../.kept.png")
    assert numbers(score(root)) == plain


def test_names_are_in_names_only(root: Path, pictures: Pictures, plain: dict[str, Any]) -> None:
    """New names of all folders and files, in another order than the old ones."""
    subjects = dict(zip(SUBJECTS, ("zoo", "Éclair", "the box", "_1"), strict=True))
    renamed = {}
    for name, content in pictures.items():
        side, subject, file = name.split("/")
        renamed[f"{side}/{subjects[subject]}/view {9 - int(file[0])}.png"] = content
    found = numbers(score(lay(root, renamed)))
    back = {new: old for old, new in subjects.items()}

    def old(path: str) -> str:
        subject, _, file = path.partition("/")
        return f"{back[subject]}/{9 - int(file.removesuffix('.png')[-1])}.png"

    for entry in found["subjects"]:
        entry["subject"] = back[entry["subject"]]
        entry["reference_paths"] = sorted(map(old, entry["reference_paths"]))
    for image in found["images"]:
        image |= {"subject": back[image["subject"]], "path": old(image["path"])}
        if "near_copy_of" in image:
            image["near_copy_of"] = {metric: old(path) for metric, path in image["near_copy_of"].items()}
    found["subjects"].sort(key=lambda one: one["subject"])
    found["images"].sort(key=lambda one: one["path"])
    assert_alike(found, plain)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clip(tmp_path_factory.mktemp("model") / "clip")


def test_workers_memory_and_caches_of_every_state(tmp_path: Path, root: Path, model: Path) -> None:
    """To the last bit: what is embedded beside a picture, and where its embedding is from, is no matter."""

    def run(cache: str, **options: Any) -> dict[str, Any]:
        return numbers(score(root, metrics=["hog", str(model)], cache=tmp_path / cache, **options))

    cold = run("cold")
    assert run("cold") == cold  # warm
    for options in (
        {"use_cache": False},
        {"workers": 1},
        {"workers": 4},
        {"memory": 2_000_000},
        {"verify_content": True},
    ):
        assert run(f"of {options}", **options) == cold, options
    cut = root.parent / "cut"
    for side in ("refs", "a"):
        (cut / side).mkdir(parents=True)
        for subject in SUBJECTS[:2]:
            (cut / side / subject).symlink_to(root / side / subject)
    score(cut, metrics=["hog", str(model)], cache=tmp_path / "half", follow_symlinks=True)
    assert run("half") == cold
    parts = sorted((tmp_path / "half" / "embeddings").rglob("*.parquet"))
    assert len(parts) >= 2
    for number, part in enumerate(parts):
        content = bytearray(part.read_bytes())
        content[len(content) // 2] ^= 255
        part.write_bytes(content if number % 2 else content[:100])
    assert run("half") == cold


def test_another_batch_is_rounding(root: Path, model: Path) -> None:
    one = numbers(score(root, metrics=[str(model)], use_cache=False))
    for size in (1, 3):
        assert_alike(
            numbers(score(root, metrics=[str(model)], use_cache=False, batch_size=size)), one, within=1e-5
        )


def test_the_order_of_metrics(nearid: Nearid, root: Path, model: Path) -> None:
    (root / "s.csv").write_text(
        "path,score\n" + "".join(f"{s}/{n}.png,{n * n / 7}\n" for s in SUBJECTS for n in range(4))
    )

    def run(*metrics: str) -> dict[str, Any]:
        metric = [word for name in metrics for word in ("-m", name)]
        finished = nearid(
            "score",
            root / "refs",
            root / "a",
            *metric,
            "--scores",
            f"given={root / 's.csv'}",
            "--format",
            "json",
        )
        assert finished.code == 0, finished.err
        found = json.loads(finished.out)
        return {part: found[part] for part in ("subjects", "aggregate", "images")}

    assert run("hog", str(model), "given") == run("given", str(model), "hog")
