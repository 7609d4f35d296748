"""`--masks`: scores of parts of pictures equal those of the same pictures painted over, and how much is context."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import nearid_cli
from tests.commandline import Nearid

SIZE = 96
SUBJECTS = ("cat", "cup", "ship", "tent")


def noise(seed: int, cells: int, size: int) -> Image.Image:
    levels = np.random.default_rng(seed).integers(0, 256, (cells, cells, 3), np.uint8)
    return Image.fromarray(levels).resize((size, size), Image.Resampling.NEAREST)


def plant(
    root: Path, background: Callable[[int, int], Image.Image], object_of: Callable[[int], Image.Image]
) -> None:
    """Subjects of two references and three generations; each has its object at another place, and a mask."""
    for number, subject in enumerate(SUBJECTS):
        for side, pictures in (("refs", 2), ("gens", 3)):
            for index in range(pictures):
                place = np.random.default_rng((number, index, len(side), pictures))
                thing = object_of(number)
                x, y = (int(at) for at in place.integers(2, SIZE - thing.width - 2, 2))
                picture, mask = background(number, index + 10 * pictures), Image.new("L", (SIZE, SIZE))
                mask.paste(255, (x, y, x + thing.width, y + thing.height))
                picture.paste(thing, (x, y))
                for folder, image in ((root / side, picture), (root / "masks" / side, mask)):
                    (folder / subject).mkdir(parents=True, exist_ok=True)
                    image.save(folder / subject / f"{index}.png")


@pytest.fixture
def telltale(tmp_path: Path) -> Path:
    """Small objects before a large pattern of each subject's own."""
    plant(tmp_path, lambda number, _: noise(number, 6, SIZE), lambda number: noise(50 + number, 2, 16))
    return tmp_path


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Large objects before a ground that is another in each picture, whoever's it is."""
    plant(tmp_path, lambda _, index: noise(1000 + index, 12, SIZE), lambda number: noise(50 + number, 3, 72))
    return tmp_path


def run(nearid: Nearid, *arguments: object) -> dict[str, Any]:
    done = nearid(*map(str, arguments), "--format", "json")
    assert done.code == 0, done.err
    result: dict[str, Any] = json.loads(done.out)
    return result


def painted(root: Path, keep: str, fill: str, box: tuple[int, int, int, int] | None = None) -> Path:
    """The same data set with the rest painted over, by Pillow alone."""
    out = root / f"painted {keep} {fill} {box is not None}"
    for side in ("refs", "gens"):
        for path in sorted((root / side).rglob("[0-9].png")):
            name = path.relative_to(root)
            picture = Image.open(path).convert("RGB")
            if box is None:
                mask = Image.open(root / "masks" / name)
            else:
                mask = Image.new("L", picture.size)
                ImageDraw.Draw(mask).rectangle(
                    (box[0], box[1], box[0] + box[2] - 1, box[1] + box[3] - 1), 255
                )
            if keep == "background":
                mask = Image.eval(mask, lambda level: 255 - level)
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            Image.composite(picture, Image.new("RGB", picture.size, fill), mask).save(out / name)
    return out


def numbers(result: dict[str, Any]) -> Any:
    """All but near copies: copies are none of these, and are told by whole pictures, whatever is scored."""

    def without_near_copies(scores: dict[str, Any]) -> dict[str, Any]:
        return {
            metric: {name: number for name, number in own.items() if name != "near_copies"}
            for metric, own in scores.items()
        }

    subjects = [(one["subject"], without_near_copies(one["scores"])) for one in result["subjects"]]
    return [without_near_copies(result["aggregate"]), subjects]


@pytest.mark.parametrize(("keep", "fill"), [("foreground", "black"), ("background", "white")])
def test_masked_scores_are_those_of_masked_pictures(
    telltale: Path, nearid: Nearid, keep: str, fill: str
) -> None:
    metrics = ("--metric", "hog,nearid-mini")
    same = painted(telltale, keep, fill)
    expected = run(nearid, "score", same / "refs", same / "gens", *metrics, "--no-cache")
    asked = ["--masks", telltale / "masks", "--mask-keep", keep, "--mask-fill", fill]
    cold = run(nearid, "score", telltale / "refs", telltale / "gens", *metrics, *asked)
    warm = run(nearid, "score", telltale / "refs", telltale / "gens", *metrics, *asked)
    assert numbers(cold) == numbers(expected)
    assert numbers(warm) == numbers(cold)
    whole = run(nearid, "score", telltale / "refs", telltale / "gens", *metrics)
    assert numbers(whole) != numbers(cold)
    assert cold["inputs"]["masks"] == {
        "source": f"folder {telltale / 'masks'}",
        "keep": keep,
        "fill": fill,
        "clean": False,
    }
    for one, other in zip(cold["metrics"], whole["metrics"], strict=True):
        assert one["masks"] == f"{keep} kept, rest {fill}"
        assert one["preprocessing"] == f"{one['masks']}, {other['preprocessing']}"
        assert one["fingerprint"] != other["fingerprint"]


def manifest(root: Path, rows: Iterable[str]) -> Path:
    path = root / "m.csv"
    path.write_text("\n".join(["path,subject,role,mask,box", *rows]))
    return path


def rows_of(root: Path, box: str, mask: Callable[[Path], str] = lambda _: "") -> list[str]:
    return [
        f'{path.relative_to(root)},{path.parent.name},{role},{mask(path)},"{box}"'
        for side, role in (("refs", "reference"), ("gens", "generation"))
        for path in sorted((root / side).rglob("*.png"))
    ]


def test_boxes_are_masks(telltale: Path, nearid: Nearid) -> None:
    same = painted(telltale, "foreground", "black", (8, 16, 60, 40))
    expected = run(nearid, "score", same / "refs", same / "gens", "--metric", "hog")
    path = manifest(telltale, rows_of(telltale, "8,16,60,40"))
    for asked in ((), ("--masks", "manifest")):
        assert numbers(run(nearid, "score", path, "--metric", "hog", *asked)) == numbers(expected)
    said = "scored are the parts that the manifest's masks and boxes show; whole pictures: --masks none"
    assert said in nearid("score", str(path), "--metric", "hog").err
    whole = run(nearid, "score", telltale / "refs", telltale / "gens", "--metric", "hog")
    assert numbers(run(nearid, "score", path, "--metric", "hog", "--masks", "none")) == numbers(whole)
    unused = nearid("score", str(path), "--metric", "hog", "--masks", "none")
    assert "masks or boxes of 20 pictures in the manifest are not used" in unused.err


def test_both_ways(telltale: Path, nearid: Nearid) -> None:
    metrics, data = ("--metric", "hog,nearid-mini"), (telltale / "refs", telltale / "gens")
    masks = ("--masks", telltale / "masks")
    both = run(nearid, "score", *data, *metrics, *masks, "--mask-keep", "both")
    whole = run(nearid, "score", *data, *metrics)
    assert numbers(both) == numbers(whole)
    assert both["metrics"] == whole["metrics"]  # so that it may be compared with whole pictures
    parts = {
        keep: run(nearid, "score", *data, *metrics, *masks, "--mask-keep", keep)
        for keep in ("foreground", "background")
    }
    for name, context in both["context"].items():
        assert context["whole"] == whole["aggregate"][name]["score"]
        above = {}
        for keep, result in parts.items():
            scores = result["aggregate"][name]
            assert (context[keep], context[f"{keep}_floor"]) == (scores["score"], scores["floor"])
            above[keep] = scores["score"] - scores["floor"]
        assert context["share"] == pytest.approx(above["background"] / sum(above.values()))
        low, high = context["ci95"]
        assert low <= context["share"] <= high


def share(nearid: Nearid, root: Path) -> float:
    asked = ("--masks", root / "masks", "--mask-keep", "both", "--metric", "hog")
    found: float = run(nearid, "score", root / "refs", root / "gens", *asked)["context"]["hog"]["share"]
    return found


def test_a_metric_that_looks_at_the_background_is_told(telltale: Path, nearid: Nearid) -> None:
    assert share(nearid, telltale) > 0.8


def test_a_metric_that_looks_at_the_subject_is_told(bare: Path, nearid: Nearid) -> None:
    assert share(nearid, bare) < 0.2


def test_one_subject_has_no_context_share(telltale: Path, nearid: Nearid) -> None:
    asked = ("--masks", telltale / "masks", "--mask-keep", "both", "--metric", "hog", "--layout", "flat")
    done = nearid("score", str(telltale / "refs" / "cat"), str(telltale / "gens" / "cat"), *map(str, asked))
    assert "-: no context share without floors of both parts, which take a second subject" in done.out


def test_every_format_has_the_context_share(telltale: Path, nearid: Nearid, tmp_path: Path) -> None:
    outputs = [tmp_path / f"r.{form}" for form in ("md", "tex", "html")]
    given = [str(one) for path in outputs for one in ("-o", path)]
    asked = ("--masks", str(telltale / "masks"), "--mask-keep", "both", "--metric", "hog")
    done = nearid("score", str(telltale / "refs"), str(telltale / "gens"), *asked, *given)
    assert "context share" in done.out
    for path in outputs:
        assert "context share" in path.read_text(), path


def test_sidecars_as_shorthand(telltale: Path, nearid: Nearid) -> None:
    data, masks = (telltale / "refs", telltale / "gens"), telltale / "masks"
    tree = run(nearid, "score", *data, "--metric", "hog", "--masks", masks, "--mask-keep", "both")
    for path in sorted(masks.rglob("*.png")):
        path.rename(telltale / path.relative_to(masks).with_name(f"{path.stem}_mask.png"))
    sidecars = run(nearid, "score", *data, "--metric", "hog", "--masks", "both")
    assert sidecars["context"] == tree["context"]
    assert sidecars["inputs"]["masks"]["source"] == "sidecars"


def test_bad_masks_are_listed_at_once(telltale: Path, nearid: Nearid) -> None:
    masks = telltale / "masks"
    (masks / "refs/cat/0.png").unlink()
    (masks / "gens/cat/1.png").write_bytes(b"")
    Image.new("L", (SIZE, SIZE)).save(masks / "gens/cup/0.png")
    Image.new("L", (SIZE, 40), 255).save(masks / "gens/cup/1.png")
    (telltale / "gens/ship/0.png").write_bytes(b"no picture")
    data = ("score", str(telltale / "refs"), str(telltale / "gens"), "--metric", "hog", "--masks", str(masks))
    failed = nearid(*data)
    assert failed.error.startswith("5 pictures of 20 cannot be used; ")
    assert failed.error.endswith("--skip-bad, or score those without a mask whole: --allow-unmasked")
    told = {
        Path(place).relative_to(telltale).as_posix(): why
        for place, _, why in (d.partition(": ") for d in failed.details)
    }
    assert told == {
        "gens/ship/0.png": "not an image: text",
        "refs/cat/0.png": f"no mask: expected cat/0.png in {masks}",
        "gens/cat/1.png": f"its mask {masks}/gens/cat/1.png: empty file",
        "gens/cup/0.png": f"its mask is empty: all black ({masks}/gens/cup/0.png)",
        "gens/cup/1.png": f"its mask has another shape: 96 x 40, and the picture is 96 x 96 ({masks}/gens/cup/1.png)",
    }
    skipped = run(nearid, *data, "--skip-bad")
    assert len(skipped["inputs"]["skipped"]) == 5
    assert skipped["inputs"]["reference_images"] == 7
    assert skipped["inputs"]["generation_images"] == 8
    allowed = nearid(*data, "--skip-bad", "--allow-unmasked")
    assert "1 picture without a mask, scored whole" in allowed.out
    again = run(nearid, *data, "--skip-bad", "--allow-unmasked")
    assert (again["inputs"]["masks"]["unmasked"], again["inputs"]["reference_images"]) == (1, 8)


def test_masked_is_not_compared_with_whole(telltale: Path, nearid: Nearid, tmp_path: Path) -> None:
    data, masks = (
        ("score", str(telltale / "refs"), str(telltale / "gens"), "--metric", "hog"),
        str(telltale / "masks"),
    )
    nearid(*data, "-o", str(tmp_path / "whole.json"))
    nearid(*data, "--masks", masks, "-o", str(tmp_path / "masked.json"))
    nearid(*data, "--masks", masks, "--mask-keep", "both", "-o", str(tmp_path / "both.json"))
    refused = nearid("compare", str(tmp_path / "whole.json"), str(tmp_path / "masked.json"))
    assert refused.details == ["masked: hog is masked, not whole (foreground kept, rest black)"]
    assert nearid("compare", str(tmp_path / "whole.json"), str(tmp_path / "both.json")).code == 0
    rules = tmp_path / "nearid.toml"
    rules.write_text('[[gate.rules]]\nmetric = "hog"\nstatistic = "score"\nmax_drop = 1.0\n')
    run_, baseline = str(tmp_path / "masked.json"), str(tmp_path / "whole.json")
    gated = nearid("gate", run_, "--baseline", baseline, "--config", str(rules))
    assert gated.code == 1
    assert "hog is masked, not whole as in the baseline (foreground kept, rest black)" in gated.out
    nearid(*data, "--masks", masks, "--mask-fill", "white", "-o", baseline)
    otherwise = nearid("gate", run_, "--baseline", baseline, "--config", str(rules))
    assert otherwise.code == 1
    told = " ".join(otherwise.out.split())
    assert "masked otherwise: run foreground kept, rest black, baseline foreground kept, rest white" in told
    refused = nearid("compare", baseline, run_)
    assert refused.details == [
        "masked: hog is masked otherwise: foreground kept, rest black, not foreground kept, rest white"
    ]


def test_subjects_that_share_pictures(telltale: Path, nearid: Nearid) -> None:
    """Two subjects side by side in one picture, each in its box: as if each had pictures of its own."""
    wide = telltale / "wide"
    rows = []
    for subjects in (("cat", "cup"), ("ship", "tent")):
        for side, role, count in (("refs", "reference", 2), ("gens", "generation", 3)):
            for index in range(count):
                picture = Image.new("RGB", (2 * SIZE, SIZE))
                name = f"{side}/{'-'.join(subjects)}-{index}.png"
                for place, subject in enumerate(subjects):
                    picture.paste(Image.open(telltale / side / subject / f"{index}.png"), (place * SIZE, 0))
                    rows.append(f'{name},{subject},{role},,"{place * SIZE},0,{SIZE},{SIZE}"')
                (wide / side).mkdir(parents=True, exist_ok=True)
                picture.save(wide / name)
    path = manifest(wide, rows)
    found = nearid_cli.score(path, metrics="hog", masks="manifest")
    assert [one.subject for one in found.subjects] == list(SUBJECTS)
    assert found.inputs.shared_references == ()
    cat, cup = (found.subjects[name].scores["hog"] for name in ("cat", "cup"))
    assert cat.score != cup.score
    assert found.aggregate["hog"].identification == 1.0


def test_methods_of_a_comparison(telltale: Path, nearid: Nearid) -> None:
    for method in ("a", "b"):
        for path in sorted((telltale / "gens").rglob("*.png")):
            name = path.relative_to(telltale / "gens")
            for source, out in (
                (path, telltale / "runs" / method),
                (telltale / "masks/gens" / name, telltale / "m" / method),
            ):
                (out / name).parent.mkdir(parents=True, exist_ok=True)
                image = Image.open(source)
                (image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if method == "b" else image).save(
                    out / name
                )
    (telltale / "masks/refs").rename(telltale / "m/refs")
    asked = (
        "compare",
        telltale / "runs",
        "--refs",
        telltale / "refs",
        "--metric",
        "hog",
        "--masks",
        telltale / "m",
    )
    done = nearid(*map(str, asked), "--mask-keep", "both")
    assert done.code == 0, done.err
    assert "context share" in done.out
    found = run(nearid, *asked, "--mask-keep", "both")
    one = run(
        nearid,
        "score",
        telltale / "refs",
        telltale / "runs/b",
        "--metric",
        "hog",
        *asked[6:],
        "--mask-keep",
        "both",
    )
    (b,) = [method["result"] for method in found["methods"] if method["name"] == "b"]
    assert b["context"] == one["context"]


def test_a_warm_run_imports_no_torch(telltale: Path, nearid: Nearid) -> None:
    asked = [
        "score",
        telltale / "refs",
        telltale / "gens",
        "--metric",
        "nearid-mini",
        "--masks",
        telltale / "masks",
    ]
    command = [*map(str, asked), "--mask-keep", "both"]
    assert nearid(*command).code == 0
    code = f"import sys\nfrom nearid_cli.cli.app import main\nmain({command!r})\nassert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_two_runs_at_once(telltale: Path, tmp_path: Path) -> None:
    asked = ["score", telltale / "refs", telltale / "gens", "--metric", "hog", "--masks", telltale / "masks"]
    command = [
        sys.executable,
        "-m",
        "nearid_cli",
        *map(str, asked),
        "--mask-keep",
        "both",
        "--format",
        "json",
    ]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    outs = [one.communicate() for one in running]
    assert [one.returncode for one in running] == [0, 0], outs
    first, second = (json.loads(out)["context"] for out, _ in outs)
    assert first == second


def test_keywords_of_python(telltale: Path) -> None:
    data = (telltale / "refs", telltale / "gens", "hog")
    found = nearid_cli.score(
        *data, masks=telltale / "masks", mask_keep="background", mask_fill="mean", mask_clean=True
    )
    assert found.metrics[0].masks == "background of cleaned masks kept, rest of its mean colour"
    with pytest.raises(nearid_cli.NearIDError, match="mask_keep: expected a text"):
        nearid_cli.score(*data, masks=telltale / "masks", mask_keep=1)  # type: ignore[arg-type]
    with pytest.raises(nearid_cli.NearIDError, match=r"masks: expected a path or a text, found \{\}"):
        nearid_cli.score(*data, masks={})  # type: ignore[arg-type]


def test_layout_shows_which_pictures_have_masks(telltale: Path, nearid: Nearid) -> None:
    (telltale / "masks/gens/cup/1.png").unlink()
    sides = (str(telltale / "refs"), str(telltale / "gens"))
    out = telltale / "out" / "m.csv"
    out.parent.mkdir()
    shown = nearid("layout", *sides, "--masks", str(telltale / "masks"), "-o", str(out))
    assert "masks or boxes: 19 of 20 pictures\nwithout a mask: cup/1.png\n" in shown.out
    assert "masks" not in nearid("layout", *sides).out
    again = nearid("layout", str(out))
    assert "masks or boxes: 19 of 20 pictures\nwithout a mask: ../gens/cup/1.png\n" in again.out
    skip = ("--metric", "hog", "--skip-bad")
    tree = run(nearid, "score", *sides, *skip, "--masks", telltale / "masks")
    assert numbers(run(nearid, "score", out, *skip, "--masks", "manifest")) == numbers(tree)


PLUGINS = """
import numpy as np
from nearid_cli.plugins import PairwiseMetric

class Covered(PairwiseMetric):
    "How alike two pictures are in the share of them that counts."
    version = "covered/1"
    protocol = "covered"
    range = (0.0, 1.0)
    takes_masks = True

    def features(self, image, mask=None):
        assert np.asarray(image).any(axis=2).mean() > 0.9  # nothing is painted over
        return 1.0 if mask is None else float((np.asarray(mask) == 255).mean())

    def compare(self, reference, generation):
        return min(reference, generation) / max(reference, generation)

class Painted(Covered):
    takes_masks = False

    def features(self, image, mask=None):
        assert mask is None
        return float(np.asarray(image).any(axis=2).mean())
"""


def test_a_metric_that_takes_masks_gets_them_and_another_sees_what_is_left(
    telltale: Path, nearid: Nearid, monkeypatch: pytest.MonkeyPatch
) -> None:
    (telltale / "masked_plugins.py").write_text(PLUGINS)
    (telltale / "nearid.toml").write_text(
        '[metrics.covered]\nplugin = "masked_plugins:Covered"\n[metrics.painted]\nplugin = "masked_plugins:Painted"\n'
    )
    monkeypatch.chdir(telltale)
    Image.new("L", (SIZE, SIZE), 255).save("masks/gens/cat/0.png")
    asked = ("score", "refs", "gens", "--metric", "covered,painted", "--masks", "masks")
    found = run(nearid, *asked)
    shares = {
        path: (np.asarray(Image.open(path)) > 127).mean()
        for path in sorted((telltale / "masks").rglob("*.png"))
    }
    for image in found["images"]:
        own = shares[telltale / "masks/gens" / image["path"]]
        others = [shares[telltale / "masks/refs" / image["subject"] / f"{i}.png"] for i in range(2)]
        expected = np.mean([min(own, other) / max(own, other) for other in others])
        assert image["scores"]["covered"] == pytest.approx(expected)
        assert image["scores"]["painted"] == pytest.approx(expected, abs=0.02)  # black pixels of objects
    assert [one["masks"] for one in found["metrics"]] == ["foreground by mask", "foreground kept, rest black"]
    assert numbers(run(nearid, *asked)) == numbers(found)
    both = run(nearid, *asked, "--mask-keep", "both", "--skip-bad")
    assert [one["reason"] for one in both["inputs"]["skipped"]] == [
        "its mask covers the whole picture, which leaves no background (masks/gens/cat/0.png)"
    ]
    assert both["context"]["covered"]["share"] is None  # there are no floors without --pairs all
    every = run(nearid, *asked, "--mask-keep", "both", "--skip-bad", "--pairs", "all")
    assert every["context"]["covered"]["foreground_floor"] is not None
