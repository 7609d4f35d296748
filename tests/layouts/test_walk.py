import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearid_cli.errors import InputError
from nearid_cli.images.formats import EXTENSIONS
from nearid_cli.layouts.find import find_images
from nearid_cli.layouts.reach import Reach
from nearid_cli.layouts.walk import scan, walk
from nearid_cli.text import natural_key

AGAIN = "links to folders that are read under another name"


def test_natural_order_at_every_level(plant):
    root = plant("d", "b10/img10.png b10/img2.png b2/x.png top10.png top9.png b2/deep/a.png")
    assert walk(root).names == [
        "top9.png", "top10.png", "b2/x.png", "b2/deep/a.png", "b10/img2.png", "b10/img10.png",
    ]  # fmt: skip


@given(st.lists(st.text(st.characters(exclude_characters="/\0"), max_size=30), max_size=8), st.randoms())
def test_order_does_not_depend_on_what_the_disk_says_first(names, random):
    shuffled = random.sample(names, len(names))
    assert sorted(names, key=natural_key) == sorted(shuffled, key=natural_key)


def test_numbers_of_any_length_sort(plant):
    long = "9" * 5000
    assert sorted([f"a{long}", "a1"], key=natural_key) == ["a1", f"a{long}"]


@pytest.mark.parametrize("extension", [*sorted(EXTENSIONS), "JPG", "Png", "Tiff"])
def test_extensions_in_any_case(plant, extension):
    assert walk(plant("d", [f"a.{extension}"])).names == [f"a.{extension}"]


@pytest.mark.parametrize("name", ["a.heic", "b.HEIF", "c.jxl", "d.jp2"])
def test_photographs_that_may_not_decode_are_pictures_all_the_same(plant, name):
    """Leaving them out would score what is left; who decodes them says why not."""
    assert walk(plant("d", [name])).names == [name]


def test_pictures_under_odd_names_are_told_by_their_beginning(plant, photographs):
    root = plant("d", ["a.txt"])
    odd = ["photo.jpg_large", "photo.jpg.1", "photo", "photo.png ", "photo.JPE", "photo.jfif", "photo."]
    for name in odd:
        photographs["coffee"].resize((8, 8)).save(root / name, "JPEG")
    (root / "a.psd").write_bytes(b"8BPS\0\1" + bytes(40))
    (root / "page").write_bytes(b"<!DOCTYPE html><html>")
    (root / "empty").touch()
    (root / "caption.txt").write_bytes((root / "photo").read_bytes())  # never looked into
    walked = walk(root)
    assert sorted(walked.names) == sorted(odd)
    assert walked.left_out.by_reason.keys() == {"other files"}
    assert sorted(walked.left_out.by_reason["other files"]) == [
        "a.psd",
        "a.txt",
        "caption.txt",
        "empty",
        "page",
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (".hidden.png", "hidden files"),
        (".DS_Store", "hidden files"),
        (".cache/a.png", "hidden folders"),
        ("Thumbs.db", "system files"),
        ("desktop.ini", "system files"),
        ("__MACOSX/a.png", "system files"),
        ("masks/dog.png", "masks"),
        ("@eaDir/0.jpg/SYNOPHOTO_THUMB_M.jpg", "system files"),
        ("#recycle/a.png", "system files"),
        ("@Recycle/a.png", "system files"),
        ("$RECYCLE.BIN/S-1-5/a.png", "system files"),
        ("lost+found/a.png", "system files"),
        ("#snapshot/a.png", "system files"),
        ("@tmp/a.png", "system files"),
        ("System Volume Information/a.png", "system files"),
        ("@GMT-2024.01.01-00.00.00/a.png", "system files"),
        ("cat_mask.png", "masks"),
        ("cat-mask.PNG", "masks"),
        ("mask/cat.png", "masks"),
        ("masks/cat_mask.png", "masks"),
        ("grid.png", "grids"),
        ("grid-0001.png", "grids"),
        ("grid01.png", "grids"),
        ("xyz_grid-0001-42.png", "grids"),
        ("class_images/1.png", "class images"),
        ("class-data/1.png", "class images"),
        ("class_samples/1.png", "class images"),
        ("regularization/dog/1.png", "class images"),
        ("notes.txt", "other files"),
        ("png", "other files"),
        ("LICENSE", "other files"),
    ],
)
def test_left_out_and_counted(plant, name, reason):
    walked = walk(plant("d", [name, "cat.png"]))
    assert walked.names == ["cat.png"]
    assert walked.left_out.counts() == {reason: 1}


@pytest.mark.parametrize(
    "name",
    [
        "class_ring/1.png", "world_class/1.png", "gas_mask/1.png", "griddle.png", "gridiron_01.png",
        "unmask.png", "masked_singer/1.png", "class/1.png", "hybrid_grids_toy/1.png", "folder.png/1.png",
        "cup_on_a_grid_0.png", "mask/1.png", "a mask.png", "dog_mask.png", "a cat with a mask/0.png", "dog_grid.jpg",
        "mask_0.png", "cat/mask/0.png", "@anna/1.png", "#1/a.png",
    ],
)  # fmt: skip
def test_names_that_only_resemble_are_pictures(plant, name):
    walked = walk(plant("d", [name]))
    assert walked.names == [name]
    assert not walked.left_out


@pytest.mark.parametrize(
    ("tree", "masks"),
    [
        ("cat/images/0.png cat/masks/0.png dog/images/0.png", ["cat/masks/0.png"]),
        ("cat/0.png dog/1.png masks/cat/0.png", ["masks/cat/0.png"]),
        ("cat/0.png mask/0.png mask/1.png", []),  # a subject called mask
        ("cat/hat/0.png cat/mask/0.png", []),  # a prompt
        ("cat/hat/0.png cat/masks/0.png", ["cat/masks/0.png"]),
        ("gas.png gas_mask.png", ["gas_mask.png"]),
    ],
)
def test_masks_are_told_by_what_lies_beside_them(plant, tree, masks):
    walked = walk(plant("d", tree))
    assert walked.left_out.by_reason.get("masks", []) == masks
    assert sorted([*walked.names, *masks]) == sorted(tree.split())


def test_thumbnails_are_told_by_what_lies_beside_them(plant):
    walked = walk(plant("d", "a.png thumbnails/a.webp cat/thumbs/0.png"))
    assert walked.left_out.by_reason == {"thumbnails": ["thumbnails/a.webp"]}
    assert walked.names == ["a.png", "cat/thumbs/0.png"]


def test_grids_are_told_by_what_lies_beside_them(plant):
    tree = "cat/x_0.png cat/x_1.png cat/x_grid.png cat/y_grid.png txt2img-grids/a/grid-0000.png"
    walked = walk(plant("d", tree))
    assert walked.left_out.by_reason == {"grids": ["cat/x_grid.png", "txt2img-grids/a/grid-0000.png"]}


def test_where_there_are_only_grids_they_are_what_was_meant(plant):
    walked = walk(plant("d", "grid.png grid_1.png"))
    assert (walked.names, bool(walked.left_out)) == (["grid.png", "grid_1.png"], False)


def test_names_of_subjects_are_no_byproducts(plant):
    tree = scan(plant("d", "gas.png gas_mask.png grid_0.png class_data/1.png grids/0.png"))
    tree.leave_out_byproducts(frozenset({"gas_mask", "grid", "class_data", "grids"}))
    assert not tree.left_out


def test_the_given_folder_itself_is_never_left_out(plant):
    assert walk(plant(".cache/masks", "a.png")).names == ["a.png"]


def test_symlink_loops_end(plant):
    root = plant("d", "cat/a.png dog/b.png")
    (root / "cat" / "self").symlink_to(".")
    (root / "cat" / "up").symlink_to("..")
    (root / "cat" / "other").symlink_to("../dog")
    (root / "dog" / "other").symlink_to("../cat")
    (root / "mirror").symlink_to("mirror")
    walked = walk(root)
    assert walked.names == ["cat/a.png", "dog/b.png"]
    assert walked.left_out.by_reason["folders that lead back to themselves"] == ["cat/self/", "cat/up/"]
    assert walked.left_out.by_reason[AGAIN] == ["cat/other/", "dog/other/"]
    assert walked.left_out.counts()["other files"] == 1  # the link to itself


def test_a_folder_is_read_once_under_its_own_name(plant, caplog):
    root = plant("d", "pictures/2/b.png pictures/2/deep/c.png z/0.png")
    (root / "cat").symlink_to("pictures/2")  # before it in order, but a link
    (root / "kitten").symlink_to("cat")
    walked = walk(root)
    assert walked.names == ["pictures/2/b.png", "pictures/2/deep/c.png", "z/0.png"]
    assert walked.left_out.by_reason == {AGAIN: ["cat/", "kitten/"]}
    assert (
        f"in {root}, 2 links are left out, since the same folder is read under another name: cat/ -> pictures/2/, "
        "kitten/ -> pictures/2/" in caplog.messages
    )


def test_diamonds_of_links_are_read_once(plant):
    """Each of 41 folders has two links to the next: a trillion paths to one picture."""
    root = plant("d", [f"{level}/x.txt" for level in range(41)] + ["41/a.png"])
    for level in range(41):
        for side in "ab":
            (root / str(level) / side).symlink_to(f"../{level + 1}")
    walked = walk(root)
    assert walked.names == ["41/a.png"]
    assert len(walked.left_out.by_reason[AGAIN]) == 82


def test_what_links_lead_to_elsewhere_is_read_once_and_comes_in_its_place(plant, tmp_path):
    store = plant("store", "1/a.png 1/sub/b.png")
    root = plant("d", "b/0.png c/1.png")
    (root / "b10").symlink_to(store / "1")
    (root / "b9").symlink_to(store / "1" / "sub")
    (root / "twice").symlink_to(store / "1")
    (root / "back").symlink_to(tmp_path)  # which leads here again
    walked = walk(root, reach=Reach(follow_symlinks=True))
    assert walked.names == ["b/0.png", "b9/b.png", "b10/a.png", "c/1.png"]
    assert walked.left_out.by_reason == {
        AGAIN: ["b10/sub/", "back/store/1/", "twice/"],
        "folders that lead back to themselves": ["back/d/"],
    }


def test_links_that_lead_out_stop_the_walk_and_are_named(plant, tmp_path):
    plant("elsewhere", "x/a.png secret.txt")
    root = plant("d", "cat/a.png")
    (root / "dog").symlink_to("../elsewhere/x")
    (root / "cat" / "b.png").symlink_to(tmp_path / "elsewhere" / "x" / "a.png")
    (root / "cat" / "notes.txt").symlink_to(
        tmp_path / "elsewhere" / "secret.txt"
    )  # nothing that would be read
    (root / "cat" / "c.png").symlink_to("a.png")
    with pytest.raises(InputError) as caught:
        walk(root)
    assert str(caught.value) == (
        f"2 links lead out of {root} (cat/b.png -> {tmp_path}/elsewhere/x/a.png, dog -> {tmp_path}/elsewhere/x); "
        "--follow-symlinks follows them"
    )
    names = ["cat/a.png", "cat/b.png", "cat/c.png", "dog/a.png"]
    assert walk(root, reach=Reach(follow_symlinks=True)).names == names
    assert walk(root, reach=Reach().including(tmp_path / "elsewhere")).names == names


@pytest.mark.parametrize(
    ("root", "store"),
    [
        ("hub/datasets--me--dog/snapshots/abc/train", "hub/datasets--me--dog/blobs/e3b0"),
        ("repo/data/refs", "repo/.git/annex/objects/x1/k2/MD5E-s1--d1/MD5E-s1--d1.png"),
        ("repo/data/refs", "repo/.dvc/cache/files/md5/ab/cdef"),
    ],
)
def test_stores_of_a_repository_belong_to_it(plant, tmp_path, root, store):
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / store).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / store).touch()
    folder = plant(root, "cat/0.png")
    (folder / "cat" / "1.png").symlink_to(os.path.relpath(tmp_path / store, folder / "cat"))
    assert walk(folder).names == ["cat/0.png", "cat/1.png"]
    plant(root.partition("/")[0], "other/0.png")
    (folder / "cat" / "2.png").symlink_to(tmp_path / root.partition("/")[0] / "other" / "0.png")
    with pytest.raises(InputError, match=r"1 link leads out of .* \(cat/2.png -> .*/other/0.png\)"):
        walk(folder)


def test_dead_links_are_pictures_if_they_are_called_so(plant):
    root = plant("d", "a.png")
    (root / "gone.jpg").symlink_to("nowhere.jpg")
    (root / "ring.png").symlink_to("ring.png")
    (root / "gone").symlink_to("nowhere")
    walked = walk(root)
    assert walked.names == ["a.png", "gone.jpg", "ring.png"]
    assert walked.left_out.counts() == {"other files": 1}


def test_pipes_and_sockets_are_not_pictures(plant, tmp_path, monkeypatch):
    root = plant("d", "a.png")
    os.mkfifo(root / "pipe.png")
    (root / "link.png").symlink_to("pipe.png")
    monkeypatch.chdir(root)  # socket addresses are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
        walked = walk(root)
    assert walked.names == ["a.png"]
    assert walked.left_out.counts() == {"not regular files": 3}


ODD_NAMES = [
    b"with space.png", b"line\nbreak.png", b"quote'\".png", b"[red]x[/red].png", b"\xff\xfe.png",
    b"x" * 196 + b".png", b"-rf.png", "né.png".encode(), b"back\\slash.png", b"a;b,c.png",
]  # fmt: skip


def test_odd_names_stay_as_they_are(plant):
    root = plant("d", [os.fsdecode(b"odd \xff/" + name) for name in ODD_NAMES])
    pictures, _ = find_images([root])
    assert {os.fsencode(picture.name) for picture in pictures} == {
        os.fsencode(root) + b"/odd \xff/" + name for name in ODD_NAMES
    }
    assert all(picture.path.exists() for picture in pictures)


def test_deeper_than_a_recursive_walk_could_go(tmp_path):
    depth = sys.getrecursionlimit() + 100
    path = f"{tmp_path}/d"
    for _ in range(depth):
        os.mkdir(path)  # noqa: PTH102 - Path recurses too
        path += "/x"
    Path(path).with_suffix(".png").touch()
    try:
        assert walk(tmp_path / "d").names == ["x/" * (depth - 1) + "x.png"]
    finally:
        subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # pytest's own cleaning recurses


@pytest.fixture
def unprivileged():
    """Run as somebody whom permissions apply to."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_an_unreadable_folder_is_named(tmp_path_factory, request):
    root = Path(os.path.realpath(tmp_path_factory.mktemp("open")))
    (root / "cat").mkdir()
    (root / "cat" / "a.png").touch()
    (root / "cat").chmod(0)
    for folder in [root, *root.parents[:3]]:  # pytest's own folders, of which xdist adds one
        if folder.stat().st_uid == os.getuid():
            folder.chmod(folder.stat().st_mode | 0o055)
    request.getfixturevalue("unprivileged")
    with pytest.raises(InputError, match=r"cannot read folder .*/cat: Permission denied"):
        walk(root)


def test_find_images_takes_files_and_folders_once(plant, monkeypatch):
    root = plant("d", "a.png sub/b10.png sub/b2.png notes.txt")
    monkeypatch.chdir(root.parent)
    pictures, left_out = find_images([Path("d/sub"), Path("d/a.png"), Path("d"), Path("d/notes.txt")])
    assert [picture.name for picture in pictures] == [
        "d/sub/b2.png",
        "d/sub/b10.png",
        "d/a.png",
        "d/notes.txt",
    ]
    assert left_out.by_reason == {"other files": ["d/notes.txt"]}


def test_find_images_lists_all_missing(plant):
    root = plant("d", "a.png")
    with pytest.raises(InputError, match="no such file or folder") as caught:
        find_images([root / "x", root, root / "y\n"])
    assert caught.value.details == (f"{root}/x", f"{root}/y\\n")


def test_find_images_without_any(plant):
    with pytest.raises(InputError, match=r"no pictures in .*: found 1 other files"):
        find_images([plant("d", "notes.txt")])
