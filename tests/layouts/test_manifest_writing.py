"""What is written as a manifest is read as it was found in folders."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from nearid_cli.errors import UsageError
from nearid_cli.layouts.dataset import Dataset, Picture, SubjectPictures
from nearid_cli.layouts.find import find
from nearid_cli.layouts.tables.manifest import MANIFESTS, check_manifest_name, write_manifest
from nearid_cli.options import LayoutOptions

SUBJECTS = [
    "red cat",
    "cafe\u0301",
    "a;b,c",
    'say "hi"',
    "tab\there",
    "new\nline",
    os.fsdecode(b"\xff"),
    "=1+1",
    "~x",
]
FILES = [" 0.png", "1 .png", "2\n.png", "sep=;.png", "é.png", os.fsdecode(b"\xfe.png")]

OUTSIDE = LayoutOptions(allow_outside=True)


def facts(dataset):
    return {
        subject.name: {
            role: {
                (str(one.path.resolve()), one.method, one.prompt, one.seed, tuple(sorted(one.labels.items())))
                for one in getattr(subject, role)
            }
            for role in ("references", "generations", "distractors")
        }
        for subject in dataset.subjects
    }


@pytest.mark.parametrize("extension", MANIFESTS)
def test_whatever_names_are_like(plant, tmp_path, extension):
    refs = plant("refs", [f"{subject}/{file}" for subject in SUBJECTS for file in FILES])
    gens = plant("gens", [f'{subject}/on, a "beach"/{file}' for subject in SUBJECTS for file in FILES])
    found = find(refs, gens)
    assert len(found.subjects) == len(SUBJECTS)
    (tmp_path / "lists").mkdir()
    manifest = tmp_path / f"lists/m{extension}"
    assert write_manifest(manifest, {"": found}) == 2 * len(SUBJECTS) * len(FILES)
    # A cell is trimmed, and a seed may have begun with a space in its file's name.
    expected = facts(found)
    for roles in expected.values():
        roles["generations"] = {
            (path, m, p, seed.strip(), ls) for path, m, p, seed, ls in roles["generations"]
        }
    assert facts(find(manifest, None, OUTSIDE)) == expected


def made(tmp_path, **said):
    paths = [tmp_path / "r.png", tmp_path / "g.png", tmp_path / "d.png"]
    for path in paths:
        path.touch()
    reference, generation, distractor = (Picture(path, path.name) for path in paths)
    subject = SubjectPictures("cat", (reference,), (replace(generation, **said),), (distractor,))
    return Dataset("made", str(tmp_path), str(tmp_path), (subject,))


@pytest.mark.parametrize("extension", MANIFESTS)
def test_labels_that_are_called_like_columns(tmp_path, extension):
    labels = {"path": "/", "Role": "hero", "step": "5", "note": "x"}
    write_manifest(tmp_path / f"m{extension}", {"ours": made(tmp_path, prompt="a cat", labels=labels)})
    (subject,) = find(tmp_path / f"m{extension}", None, OUTSIDE).subjects
    (one,) = subject.generations
    assert (one.path, one.method, one.prompt, one.seed) == (tmp_path / "g.png", "ours", "a cat", None)
    assert one.labels == {"label_path": "/", "label_Role": "hero", "step": "5", "note": "x"}
    assert [one.name for one in subject.distractors] == ["d.png"]


def test_a_folder_behind_a_link(tmp_path):
    (tmp_path / "deep/down").mkdir(parents=True)
    (tmp_path / "link").symlink_to("deep/down")
    dataset = made(tmp_path)
    write_manifest(tmp_path / "link/m.csv", {"": dataset})
    assert facts(find(tmp_path / "link/m.csv", None, OUTSIDE)) == facts(dataset)


def test_other_extensions():
    with pytest.raises(
        UsageError, match=r"cannot write a manifest to m.xlsx: expected a name that ends in .csv, .tsv"
    ):
        check_manifest_name(Path("m.xlsx"))
