"""Where the pictures of a result are looked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nearid_cli.reports.locations import anchored, generation_file, reference_file
from nearid_cli.results.reading import read_result
from tests.commandline import Nearid


def test_relative_roots_count_from_the_current_folder(run_json: Path) -> None:
    result = read_result(run_json)
    for image in result.images:
        path = generation_file(result, image.path)
        assert path.is_absolute()
        assert path.samefile(run_json.parent / "gens" / image.path)
    for subject in result.subjects:
        assert len(subject.reference_paths) == 2
        for name in subject.reference_paths:
            assert reference_file(result, name).samefile(run_json.parent / "refs" / name)


def test_roots_beside_the_result_are_found_from_elsewhere(
    run_json: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    result = read_result(run_json)
    assert not generation_file(result, "cat/0.png").exists()
    assert generation_file(anchored(result, run_json.parent), "cat/0.png").exists()
    assert reference_file(anchored(result, Path("..")), "cat/0.jpg").exists()


def test_what_is_here_comes_before_what_is_beside_the_result(
    run_json: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere" / "gens").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    result = anchored(read_result(run_json), run_json.parent)
    assert result.inputs.generations == "gens"
    assert result.inputs.references == str(run_json.parent / "refs")


def test_roots_at_neither_place_stay_as_they_are(run_json: Path, tmp_path: Path) -> None:
    result = read_result(run_json)
    (tmp_path / "gens").rename(tmp_path / "moved")
    assert anchored(result, tmp_path / "nowhere") == result


def test_a_comparison_is_anchored_method_by_method(
    run_json: Path, tmp_path: Path, nearid: Nearid, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nearid_cli.evaluate.compare import compare

    one = read_result(run_json)
    both = compare({"a": one, "b": one})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for method in both.with_runs(lambda run: anchored(run, tmp_path)).methods:
        assert generation_file(method.result, "cat/0.png").exists()


@pytest.mark.parametrize("gone", [False, True])
def test_names_in_a_manifest_count_from_its_folder(
    gone: bool, data: Path, nearid: Nearid, save: Callable[..., Path]
) -> None:
    elsewhere = save("far away/extra.png")
    rows = [
        f"../{role}s/{subject}/0.{kind},{subject},{name}"
        for role, kind, name in (("ref", "jpg", "reference"), ("gen", "png", "generation"))
        for subject in ("cat", "cup")
    ]
    (data / "lists").mkdir()
    manifest = data / "lists" / "all.csv"
    manifest.write_text("\n".join(["path,subject,role", *rows, f"{elsewhere},cat,generation"]))
    assert nearid("score", manifest, "-m", "hog", "-o", "run.json").code == 0
    if gone:
        manifest.unlink()
    result = read_result(data / "run.json")
    found = [generation_file(result, image.path) for image in result.images]
    assert all(path.is_file() for path in found)
    assert elsewhere in found


def test_one_folder_given_in_two_ways_is_one_place(run_json: Path, tmp_path: Path) -> None:
    document = json.loads(run_json.read_text())
    (tmp_path / "link").symlink_to("gens")
    places = set()
    for root in ("gens", "./gens", str(tmp_path / "gens"), "link", "refs/../gens"):
        document["inputs"]["generations"] = root
        run_json.write_text(json.dumps(document))
        places.add(generation_file(read_result(run_json), "cat/0.png"))
    assert len(places) == 1


def test_pictures_of_a_manifest_lie_below_the_folder_in_which_it_was_named(
    nearid: Nearid, data: Path
) -> None:
    (data / "kept").mkdir()
    (data / "kept/all.csv").write_text(
        "path,subject,role\nrefs\\cat\\0.jpg,cat,reference\n./gens//cat/0.png,cat,generation\n"
        f"{data}/gens/cat/1.png,cat,generation\n"
    )
    (data / "m.csv").symlink_to("kept/all.csv")
    assert nearid("score", "m.csv", "-m", "hog", "-o", "run.json").code == 0
    result = read_result(data / "run.json")
    found = {generation_file(result, image.path).relative_to(data).as_posix() for image in result.images}
    assert found == {"gens/cat/0.png", "gens/cat/1.png"}
    assert reference_file(result, result.subjects[0].reference_paths[0]).samefile(data / "refs/cat/0.jpg")
