"""`nearid score --maps`: where generations lost identity, as pictures and as rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nearid_cli
from nearid_cli.errors import UsageError
from nearid_cli.evaluate.maps import LONGEST, drawn
from tests.commandline import Nearid

MODULE = '''
import numpy as np
from nearid_cli.plugins import NoScore, PairwiseMetric


class Brightness(PairwiseMetric):
    """1 - difference of mean brightness; its map is what `grid` says, or nothing."""

    version = "brightness/1"
    protocol = "how alike pictures are in brightness"
    range = (0.0, 1.0)
    symmetric = False

    def __init__(self, grid="[[0, 1], [float('nan'), 0.5]]"):
        self.grid = grid

    def features(self, image, mask=None):
        return float(np.asarray(image).mean() / 255)

    def compare(self, reference, generation):
        return NoScore("too dark") if generation < 0.1 else 1 - abs(reference - generation)

    def map(self, reference, generation):
        return eval(self.grid, {"np": np})


class Distance(Brightness):
    version = "distance/1"
    higher_is_better = False

    def compare(self, reference, generation):
        return abs(reference - generation)


class Mapless(Brightness):
    version = "mapless/1"
    map = PairwiseMetric.map
'''


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A subject with a dark and a bright reference; generations that are like the one, like the other, and black."""
    for name, level in (
        ("refs/a/dark", 100),
        ("refs/a/light", 200),
        ("gens/a/1", 190),
        ("gens/a/2", 110),
        ("gens/a/3", 0),
    ):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 20), (level, level, level)).save(path)
    (tmp_path / "mapping.py").write_text(MODULE)
    return tmp_path


def configure(folder: Path, kind: str = "Brightness", **settings: str) -> None:
    lines = [
        f'plugin = "mapping:{kind}"',
        *(f"{name} = {json.dumps(value)}" for name, value in settings.items()),
    ]
    (folder / "nearid.toml").write_text("\n".join(["[metrics.mapped]", *lines]))


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "maps.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_map_a_generation_against_the_reference_that_it_is_most_like(
    nearid: Nearid, pictures: Path
) -> None:
    configure(pictures)
    finished = nearid("score", "refs", "gens", "-m", "mapped", "--maps", "maps", "--format", "json")
    assert finished.code == 0
    assert "wrote 2 maps into maps" in finished.err
    found = rows(pictures / "maps")
    assert [(row["generation"], row["reference"], row["file"]) for row in found] == [
        ("a/1.png", "a/light.png", "mapped/a/1.png"),
        ("a/2.png", "a/dark.png", "mapped/a/2.png"),
    ]
    assert [float(row["score"]) for row in found] == pytest.approx([1 - 10 / 255] * 2)
    assert {row["subject"] for row in found} == {"a"}
    with Image.open(pictures / "maps/mapped/a/1.png") as shown:
        assert shown.size == (40, 20)
        corners = [shown.getpixel(place) for place in ((0, 0), (39, 0), (0, 19), (39, 19))]
    same, worst, nothing, half = corners
    assert same == (190, 190, 190)
    assert nothing == (76, 76, 76)  # grey and dark
    assert worst[0] > half[0] > 190 > half[1] > worst[1]  # magenta
    result = json.loads(finished.out)
    assert result["inputs"]["maps"] == "maps"
    assert [image.get("maps") for image in result["images"]] == [
        {"mapped": "mapped/a/1.png"},
        {"mapped": "mapped/a/2.png"},
        None,
    ]
    plain = json.loads(nearid("score", "refs", "gens", "-m", "mapped", "--format", "json").out)
    assert "maps" not in plain["inputs"]
    assert plain["aggregate"] == result["aggregate"]


def test_of_a_distance_the_nearest_reference_counts(nearid: Nearid, pictures: Path) -> None:
    configure(pictures, "Distance")
    assert nearid("score", "refs", "gens", "-m", "mapped", "--maps", "maps").code == 0
    assert [row["reference"] for row in rows(pictures / "maps")] == [
        "a/light.png",
        "a/dark.png",
        "a/dark.png",
    ]


def test_metrics_without_maps_are_refused_before_anything_is_done(nearid: Nearid, pictures: Path) -> None:
    configure(pictures, "Mapless")
    finished = nearid("score", "refs", "gens", "-m", "mapped,hog", "--maps", "maps")
    assert finished.code == 2
    assert finished.err.splitlines()[-1] == (
        "error: --maps: none of mapped, hog says where identity was lost; vsm does: --metric vsm"
    )
    (pictures / "file").touch()
    configure(pictures)
    assert (
        "--maps: file is no folder" in nearid("score", "refs", "gens", "-m", "mapped", "--maps", "file").err
    )


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        ("file/below", "--maps: {here}/file is no folder"),
        ("taken", "--maps: taken/mapped is no folder"),
        (
            "gens/maps",
            "--maps: maps in gens/maps would lie among the pictures of gens, and be taken for some; choose",
        ),
        ("gens", "--maps: maps in gens would lie among the pictures of gens,"),
        ("refs/..", "--maps: maps in refs/.. would lie among the pictures of mapped,"),
    ],
)
def test_a_folder_that_cannot_be_one_is_refused_before_anything_is_done(
    nearid: Nearid, pictures: Path, maps: str, words: str
) -> None:
    configure(pictures, grid="1 / 0")
    (pictures / "file").touch()
    (pictures / "taken").mkdir()
    (pictures / "taken/mapped").touch()
    (pictures / "refs").rename(pictures / "mapped")  # where the maps of a metric of this name go
    (pictures / "refs").mkdir()
    finished = nearid("score", "mapped", "gens", "-m", "mapped", "--maps", maps)
    assert finished.code == 2
    assert words.format(here=pictures) in finished.err
    assert not list((pictures / "mapped").glob("*.csv"))


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ("[[0, 2]]", "gave as a map list of int64, shape [1, 2]; expected numbers from 0 to 1"),
        ("[0, 1]", "gave as a map list of int64, shape [2]; expected"),
        ("np.zeros((0, 3))", "gave as a map ndarray of float64, shape [0, 3]"),
        ("[['a']]", "gave as a map list of <U1, shape [1, 1]"),
        ("1 / 0", "mapping:Brightness.map failed: ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_no_map_is_one_line(nearid: Nearid, pictures: Path, grid: str, words: str) -> None:
    configure(pictures, grid=grid)
    finished = nearid("score", "refs", "gens", "-m", "mapped", "--maps", "maps")
    assert finished.code == 2
    assert words in finished.err


def test_no_map_of_a_pair_is_no_file(nearid: Nearid, pictures: Path) -> None:
    configure(pictures, grid="None")
    assert nearid("score", "refs", "gens", "-m", "mapped", "--maps", "maps").code == 0
    assert rows(pictures / "maps") == []
    assert [path.name for path in (pictures / "maps").rglob("*")] == ["maps.csv"]


def test_names_stay_in_the_folder_and_apart(nearid: Nearid, pictures: Path) -> None:
    configure(pictures)
    (pictures / "more").mkdir()
    for name in ("m.csv", "more/x.jpg", "more/x.jpg.png"):
        (pictures / name).write_bytes((pictures / "gens/a/1.png").read_bytes())
    lines = [
        "role,subject,path",
        "reference,a,../refs/a/light.png",
        *(f"generation,a,{path}" for path in ("../gens/a/1.png", "x.jpg", "x.jpg.png")),
    ]
    (pictures / "more/all.csv").write_text("\n".join(lines))
    finished = nearid("score", "more/all.csv", "-m", "mapped", "--maps", "maps")
    assert finished.code == 0, finished.err
    files = [row["file"] for row in rows(pictures / "maps")]
    assert files == ["mapped/gens/a/1.png", "mapped/x.jpg.png", "mapped/x.jpg (2).png"]
    assert {str(path.relative_to(pictures / "maps")) for path in (pictures / "maps").rglob("*.png")} == set(
        files
    )


def test_from_python(pictures: Path) -> None:
    configured = {"mapped": {"plugin": "mapping:Brightness", "folder": str(pictures)}}
    folders = pictures / "refs", pictures / "gens"
    result = nearid_cli.score(*folders, "mapped", configured=configured, maps=pictures / "out")
    assert [image.maps for image in result.images] == [
        {"mapped": "mapped/a/1.png"},
        {"mapped": "mapped/a/2.png"},
        {},
    ]
    assert (pictures / "out/mapped/a/2.png").is_file()
    with pytest.raises(UsageError, match=r"^maps: expected a text or a path or None, found 5$"):
        nearid_cli.score(*folders, "mapped", configured=configured, maps=5)  # type: ignore[arg-type]


def test_large_pictures_are_reduced_and_cells_fall_where_they_are() -> None:
    picture = Image.new("RGB", (3000, 1000), (10, 200, 30))
    grid = np.full((2, 3), np.nan, np.float32)
    grid[1, 2] = 1
    shown: Any = np.asarray(drawn(picture, grid))
    assert shown.shape[1] == LONGEST
    assert shown.shape[0] == pytest.approx(LONGEST / 3, abs=1)
    lit = shown[..., 0] > shown[..., 1]
    height, width = lit.shape
    assert lit[height // 2 + 1 :, 2 * width // 3 + 1 :].all()
    assert lit.mean() == pytest.approx(1 / 6, abs=0.01)
