"""Finding masks: in a folder that mirrors the pictures, beside them, in a manifest; and what is in doubt."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path

import pytest

from nearid_cli.errors import InputError, UsageError
from nearid_cli.layouts.dataset import Dataset
from nearid_cli.layouts.find import find
from nearid_cli.layouts.given import read_side
from nearid_cli.layouts.masks import MaskedData, find_masks
from nearid_cli.layouts.methods import find_methods
from nearid_cli.layouts.tables.manifest import write_manifest
from nearid_cli.options import LayoutOptions, MaskOptions


def lay(root: Path, names: Iterable[str]) -> None:
    """Files of these names; whether they are pictures is nobody's business here."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def masks_of(found: MaskedData, root: Path) -> dict[str, str | None]:
    """Picture -> its mask, by their paths below the root."""
    return {
        one.path.relative_to(root).as_posix(): one.mask and one.mask.relative_to(root).as_posix()
        for dataset in found.datasets.values()
        for subject in dataset.subjects
        for one in subject.pictures()
    }


def sides(root: Path) -> dict[str, Dataset]:
    return {"": find(root / "refs", root / "gens")}


PICTURES = ("refs/cat/0.png", "refs/cat/1.jpg", "gens/cat/a.png", "gens/cat/b.png")


@pytest.mark.parametrize(
    ("references", "generations"),
    [("", ""), ("references/", "generations/"), ("refs/", "gens/"), ("refs/", "generations/")],
)
def test_a_folder_mirrors_the_pictures(tmp_path: Path, references: str, generations: str) -> None:
    lay(tmp_path, PICTURES)
    masks = [
        f"masks/{references}cat/0.png",
        f"masks/{references}cat/1_mask.PNG",
        f"masks/{generations}cat/a.webp",
        f"masks/{generations}cat/b.png",
    ]
    lay(tmp_path, masks)
    found = find_masks(sides(tmp_path), MaskOptions(tmp_path / "masks"))
    assert masks_of(found, tmp_path) == dict(zip(PICTURES, masks, strict=True))
    assert (found.source, found.besides) == (f"folder {tmp_path / 'masks'}", False)
    assert [part.describe() for part in found.parts] == ["foreground kept, rest black"]


def test_masks_of_methods_mirror_their_folders(tmp_path: Path) -> None:
    lay(tmp_path, ["refs/cat/0.png", "runs/a/cat/0.png", "runs/b/cat/0.png"])
    lay(tmp_path, ["masks/refs/cat/0.png", "masks/a/cat/0.png", "masks/runs/b/cat/0.png"])
    datasets = find_methods([tmp_path / "runs"], tmp_path / "refs", {})
    found = find_masks(datasets, MaskOptions(str(tmp_path / "masks")))
    assert masks_of(found, tmp_path) == {
        "refs/cat/0.png": "masks/refs/cat/0.png",
        "runs/a/cat/0.png": "masks/a/cat/0.png",
        "runs/b/cat/0.png": "masks/runs/b/cat/0.png",
    }


def test_names_in_another_case_or_unicode_form(tmp_path: Path) -> None:
    composed, taken_apart = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    lay(tmp_path, [f"refs/{composed}/A.png", f"gens/{taken_apart}/b.png", f"gens/{taken_apart}/B.png"])
    lay(tmp_path, [f"masks/{taken_apart}/a.PNG", f"masks/{composed}/b.png", f"masks/{composed}/B.png"])
    found = masks_of(find_masks(sides(tmp_path), MaskOptions(tmp_path / "masks")), tmp_path)
    assert found == {
        f"refs/{composed}/A.png": f"masks/{taken_apart}/a.PNG",
        f"gens/{taken_apart}/b.png": f"masks/{composed}/b.png",  # its own case first
        f"gens/{taken_apart}/B.png": f"masks/{composed}/B.png",
    }


def test_sidecars(tmp_path: Path) -> None:
    masks = ["refs/cat/0_mask.png", "refs/cat/1-Mask.jpg", "gens/cat/a_mask.png"]
    lay(tmp_path, [*PICTURES, *masks, "masks/cat/b.png"])
    (tmp_path / "gens/cat/b_mask.png").symlink_to("nowhere")  # there, and a bad mask
    found = find_masks(sides(tmp_path), MaskOptions("sidecar"))
    assert list(masks_of(found, tmp_path).values()) == [*masks, "gens/cat/b_mask.png"]


@pytest.mark.parametrize("picture", ["refs/cat/0", "gens/cat/a"])
def test_sidecars_that_lead_out_of_the_tree_are_named(tmp_path: Path, picture: str) -> None:
    inside = tmp_path / "inside"
    lay(inside, PICTURES)
    lay(tmp_path, ["elsewhere/mask.png"])
    mask = inside / f"{picture}_mask.png"
    mask.symlink_to(tmp_path / "elsewhere/mask.png")
    with pytest.raises(
        InputError, match=rf"^1 link leads out of .*{picture[5:]}_mask.png -> .*; --follow-symlinks"
    ):
        find_masks(sides(inside), MaskOptions("sidecar"))
    follow = {"": find(inside / "refs", inside / "gens", LayoutOptions(follow_symlinks=True))}
    assert (
        masks_of(find_masks(follow, MaskOptions("sidecar")), inside)[f"{picture}.png"]
        == f"{picture}_mask.png"
    )


@pytest.mark.parametrize(
    ("masks", "asked", "doubt"),
    [
        (
            ["masks/cat/0.png"],
            "masks",
            "{root}/masks/cat/0.png: of {root}/refs/cat/0.png, or of {root}/gens/cat/0.png",
        ),
        (
            ["masks/refs/cat/0.png", "masks/refs/cat/0.jpg", "masks/gens/cat/0.png"],
            "masks",
            "{root}/refs/cat/0.png: {root}/masks/refs/cat/0.jpg or {root}/masks/refs/cat/0.png",
        ),
        (
            ["refs/cat/0_mask.png", "refs/cat/0-mask.png"],
            "sidecar",
            "{root}/refs/cat/0.png: {root}/refs/cat/0-mask.png or {root}/refs/cat/0_mask.png",
        ),
    ],
)
def test_what_is_in_doubt_stops(tmp_path: Path, masks: list[str], asked: str, doubt: str) -> None:
    lay(tmp_path, ["refs/cat/0.png", "gens/cat/0.png", *masks])
    where = tmp_path / asked if asked == "masks" else asked
    with pytest.raises(InputError, match=r"^1 mask in doubt; a picture has one mask, of its own") as caught:
        find_masks(sides(tmp_path), MaskOptions(where))
    assert list(caught.value.details) == [doubt.format(root=tmp_path)]


def test_a_picture_is_no_mask(tmp_path: Path) -> None:
    lay(tmp_path, PICTURES)
    with pytest.raises(
        InputError, match=r"^not one picture has a mask; of .*/refs/cat/0.png: no mask: expected cat/0"
    ):
        find_masks(sides(tmp_path), MaskOptions(tmp_path / "refs"))


def manifest(root: Path, *rows: str, header: str = "path,subject,role,mask,box") -> Path:
    path = root / "m.csv"
    path.write_text("\n".join([header, *rows]))
    return path


def test_columns_of_a_manifest(tmp_path: Path) -> None:
    lay(tmp_path, [*PICTURES, "m/0.png", "gens/cat/b_mask.png"])
    path = manifest(
        tmp_path,
        "refs/cat/0.png,cat,reference,m/0.png,",
        'refs/cat/1.jpg,cat,reference,,"10, 20,5,6"',
        "gens/cat/a.png,cat,generation,m/0.png,[1 2 3 4.0]",
        "gens/cat/b.png,cat,generation,,",
    )
    found = find_masks({"": find(path, None)}, MaskOptions("manifest"))
    (subject,) = found.datasets[""].subjects
    assert [(one.mask, one.box) for one in subject.pictures()] == [
        (tmp_path / "m/0.png", None),
        (None, (10, 20, 5, 6)),
        (tmp_path / "m/0.png", (1, 2, 3, 4)),
        (None, None),
    ]
    assert all(not one.labels for one in subject.pictures())
    lacking = subject.generations[1]
    assert found.lacking(lacking) == "no mask or box in a manifest"
    both = find_masks({"": find(path, None)}, MaskOptions("both"))
    assert both.besides
    assert both.source == "manifest and sidecars"
    assert [part.keep for part in both.parts] == ["foreground", "background"]
    assert both.datasets[""].subjects[0].generations[1].mask == tmp_path / "gens/cat/b_mask.png"
    assert find_masks({"": find(path, None)}, MaskOptions()).source == "manifest"
    whole = find_masks({"": find(path, None)}, MaskOptions("none"))
    assert not any(one.has_mask for one in whole.datasets[""].subjects[0].pictures())
    again = tmp_path / "elsewhere" / "m.jsonl"
    again.parent.mkdir()
    write_manifest(again, {"": both.datasets[""]})
    found_again = find(again, None, LayoutOptions(allow_outside=True))
    read = find_masks({"": found_again}, MaskOptions("manifest")).datasets[""].subjects[0]
    assert [one.box for one in read.pictures()] == [None, (10, 20, 5, 6), (1, 2, 3, 4), None]
    masks = [one.mask and one.mask.resolve() for one in read.pictures()]
    assert masks == [one.mask for one in both.datasets[""].subjects[0].pictures()]


def test_boxes_in_json_are_lists_of_four(tmp_path: Path) -> None:
    lay(tmp_path, ["0.png", "1.png"])
    path = tmp_path / "m.jsonl"
    path.write_text(
        '{"path": "0.png", "subject": "a", "role": "reference", "box": [1, 2, 3, 4]}\n'
        '{"path": "1.png", "subject": "a", "role": "generation", "box": [1, 2, 3.0, 4]}\n'
    )
    (subject,) = find(path, None).subjects
    assert [one.box for one in subject.pictures()] == [(1, 2, 3, 4)] * 2


def test_wrong_cells_are_named_together(tmp_path: Path) -> None:
    lay(tmp_path, ["0.png", "1.png"])
    path = manifest(
        tmp_path,
        "0.png,cat,reference,gone.png,",
        "1.png,cat,generation,,10 20 5.5 6",
        '0.png,dog,reference,,"1,2"',
    )
    with pytest.raises(InputError, match="has 3 wrong rows") as caught:
        find(path, None)
    assert list(caught.value.details) == [
        "line 2: mask gone.png does not exist",
        "line 3: expected the box to be four whole numbers x,y,width,height in pixels, found 10 20 5.5 6",
        "line 4: expected the box to be four whole numbers x,y,width,height in pixels, found 1,2",
    ]


def test_subjects_may_share_a_picture_that_shows_them_apart(tmp_path: Path) -> None:
    lay(tmp_path, ["both.png", "cat.png", "dog.png"])
    rows = [
        'both.png,cat,reference,,"0,0,5,5"',
        'both.png,dog,reference,,"5,0,5,5"',
        'cat.png,cat,generation,,"0,0,9,9"',
        'dog.png,dog,generation,,"0,0,9,9"',
    ]
    path = manifest(tmp_path, *rows)
    found = find_masks({"": find(path, None)}, MaskOptions("manifest")).datasets[""]
    assert [one.references[0].box for one in found.subjects] == [(0, 0, 5, 5), (5, 0, 5, 5)]
    with pytest.raises(
        InputError, match=r"^1 picture of several subjects, told apart by mask or box; without --masks none"
    ):
        find_masks({"": find(path, None)}, MaskOptions("none"))
    path = manifest(tmp_path, rows[0], rows[1].replace("5,0", "0,0"), *rows[2:])
    with pytest.raises(InputError, match="1 wrong row") as caught:
        find(path, None)
    assert (
        caught.value.details[0] == "line 3: both.png is a reference of dog, and a reference of cat in line 2"
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (MaskOptions(keep="background"), "--mask-keep without masks: say where these are with --masks"),
        (MaskOptions(clean=True, allow_unmasked=True), "--mask-clean and --allow-unmasked without masks"),
        (MaskOptions("both", keep="background"), "--masks both scores each part in turn"),
        (
            MaskOptions("sidecar", keep="both", allow_unmasked=True),
            "--allow-unmasked: a picture without a mask",
        ),
        (MaskOptions("sidecar", keep="foregrond"), "did you mean foreground"),
        (MaskOptions("sidecar", fill="grey"), "black, white, mean"),
    ],
)
def test_options_that_contradict_each_other(tmp_path: Path, asked: MaskOptions, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_masks({}, asked)
    assert message in caught.value.message


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    lay(tmp_path, [*PICTURES, "file"])
    (tmp_path / "empty").mkdir()
    for name, why in (
        ("gone", "does not exist: expected a folder, manifest, sidecar, both or none"),
        ("file", "is no folder: expected"),
        ("empty", "^no pictures in the folder of masks"),
    ):
        with pytest.raises(InputError, match=why):
            find_masks(sides(tmp_path), MaskOptions(tmp_path / name))


def test_pictures_in_memory_have_no_masks(tmp_path: Path) -> None:
    from PIL import Image

    picture = Image.new("RGB", (2, 2))
    given = find(read_side({"a": picture}, "references"), read_side({"a": picture}, "generations"))  # type: ignore[arg-type]
    with pytest.raises(
        UsageError, match=r"^masks are for pictures that are files, and some are in memory"
    ) as caught:
        find_masks({"": given}, MaskOptions("sidecar"))
    assert list(caught.value.details) == ['references["a"]', 'generations["a"]']
