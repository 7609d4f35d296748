from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearid_cli.benchmarks.tables.report import report
from nearid_cli.benchmarks.tables.result import PoolCell, TablesResult
from nearid_cli.benchmarks.tables.similarities import GROUPS
from nearid_cli.benchmarks.tables.tabulate import tabulate
from nearid_cli.errors import InputError, UsageError
from nearid_cli.reports.formats.data import to_json
from tests.benchmarks.similarity_files import (
    Row,
    as_published,
    by_definition,
    published_rows,
    write_published,
)

FOLDERS = {
    "flux": "NearID-Flux",
    "flux_1024": "NearID-Flux-1024",
    "powerpaint": "NearID-PowerPaint",
    "sdxl": "NearID-SDXL",
    "sdxl_1024": "NearID-SDXL_1024",
    "qwen": "NearID-Qwen",
    "qwen_1328": "NearID-Qwen_1328",
}


def name_of(
    checkpoint: str = "org~a",
    family: str = "",
    variant: str = "image",
    rows: str = "testall",
    mode: str = "fullneg",
) -> str:
    return f"sims{family and '_'}{family}_{variant}_{rows}_{mode}_{checkpoint}.csv"


def put(
    root: Path, source: str = "flux", samples: Sequence[Row] | None = None, seed: int = 0, **name: str
) -> Path:
    """One file of a source."""
    if samples is None:
        samples = published_rows(np.random.default_rng(seed), 12, mode=name.get("mode", "fullneg"))
    return write_published(root / FOLDERS.get(source, source) / name_of(**name), samples)


def cell(
    result: TablesResult, name: str, scope: str = "group", category: str | None = None, **facts: str
) -> PoolCell:
    (found,) = [
        cell
        for cell in result.cells
        if (cell.name, cell.scope, cell.category) == (name, scope, category)
        and all(getattr(cell, fact) == value for fact, value in facts.items())
    ]
    return found


def assert_numbers(found: PoolCell, rows: Sequence[Row]) -> None:
    expected = by_definition(rows)
    for number, value in expected.items():
        if value is None:
            assert getattr(found.outcome, number) is None
        else:
            assert getattr(found.outcome, number) == pytest.approx(value, abs=1e-12)
    assert found.without_trials == len(rows) - found.outcome.samples


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**20),
    sources=st.lists(st.sampled_from(sorted(FOLDERS)), min_size=1, max_size=7, unique=True),
    decimals=st.sampled_from([None, 1, 2]),
    lost=st.sampled_from([0.0, 0.2, 0.7]),
    vlm=st.booleans(),
)
def test_the_definitions_and_the_published_code(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    sources: list[str],
    decimals: int | None,
    lost: float,
    vlm: bool,
) -> None:
    root, rng = tmp_path_factory.mktemp("root"), np.random.default_rng(seed)
    rows = {source: published_rows(rng, int(rng.integers(3, 15)), 0.05, decimals, lost) for source in sources}
    if vlm:  # whole scores from 0 to 10, whose tenths do not add up to what the whole ones do
        for row in (row for own in rows.values() for row in own):
            row |= {
                name: round(10 * value)  # type: ignore[arg-type, operator]
                for name, value in row.items()
                if "sim" in name or "cross" in name
                if not math.isnan(value)  # type: ignore[arg-type]
            }
    family = "vlm" if vlm else ""
    paths = {source: put(root, source, own, family=family) for source, own in rows.items()}
    result = tabulate([root])
    published = as_published(paths, vlm)
    scaled = {source: [scale(row, vlm) for row in own] for source, own in rows.items()}
    for source, own in scaled.items():
        found = cell(result, source, "source")
        assert_numbers(found, own)
        assert_published(found, published[source])
    pooled = cell(result, "all")
    assert_numbers(pooled, [row for own in scaled.values() for row in own])
    assert_published(pooled, published["pooled"])
    for group, members in GROUPS.items():
        if set(members) & set(sources):
            assert_numbers(cell(result, group), [row for name in members for row in scaled.get(name, [])])


def scale(row: Row, vlm: bool) -> Row:
    return {
        name: value / 10.0 if vlm and ("sim_" in name or "cross_" in name) else value  # type: ignore[operator]
        for name, value in row.items()
    }


def assert_published(found: PoolCell, rates: tuple[float, float, float]) -> None:
    if found.outcome.samples == 0:
        assert np.isnan(rates).all()
        return
    ours = [found.outcome.ssr, found.outcome.ssr_mean, found.outcome.pa_published]
    np.testing.assert_allclose(100 * np.array(ours, dtype=float), rates, rtol=0, atol=1e-9)


def test_pa_published_differs_from_pa(tmp_path: Path) -> None:
    path = put(tmp_path, samples=published_rows(np.random.default_rng(5), 200, 0.1))
    found = cell(tabulate([tmp_path]), "flux", "source").outcome
    assert found.pa is not None
    assert found.pa_published is not None
    assert abs(found.pa - found.pa_published) > 0.005
    assert as_published({"flux": path})["flux"][2] == pytest.approx(100 * found.pa_published, abs=1e-9)


def test_groups_say_which_sources_they_lack(tmp_path: Path) -> None:
    for source in ("flux", "sdxl_1024"):
        put(tmp_path, source)
    put(tmp_path, "flux", checkpoint="org~b")
    result = tabulate([tmp_path])
    found = cell(result, "all", method="org/a")
    assert found.sources == ("flux", "sdxl_1024")
    assert found.missing == ("flux_1024", "powerpaint", "sdxl", "qwen", "qwen_1328")
    nothing = cell(result, "full-res", method="org/b")
    assert (nothing.sources, nothing.outcome.samples, nothing.outcome.ssr) == ((), 0, None)
    assert set(result.groups) == {"all", "low-res", "full-res", "flux", "sdxl"}
    assert "flux without flux_1024: org/a, org/b" in report(result).findings
    assert "full-res without flux_1024, sdxl_1024, qwen_1328: org/b" in report(result).findings


def test_fluxc_is_no_part_of_all(tmp_path: Path) -> None:
    put(tmp_path, "flux")
    put(tmp_path, "NearID-FluxC_1024", seed=1)
    result = tabulate([tmp_path])
    assert cell(result, "all").sources == ("flux",)
    assert cell(result, "fluxc").sources == ("fluxc_1024",)


def test_chosen_groups(tmp_path: Path) -> None:
    put(tmp_path, "flux")
    result = tabulate([tmp_path], groups=["qwen", "flux"])
    assert list(result.groups) == ["flux", "qwen"]
    assert cell(result, "qwen").outcome.samples == 0
    assert cell(result, "flux", category="kind 1").outcome.samples > 0
    with pytest.raises(UsageError, match='unknown group "quen": did you mean qwen'):
        tabulate([tmp_path], groups=["quen"])


def test_categories(tmp_path: Path) -> None:
    every = {
        source: published_rows(np.random.default_rng(n), 20)
        for n, source in enumerate(("flux", "qwen", "own"))
    }
    for source, rows in every.items():
        put(tmp_path, source, rows)
    result = tabulate([tmp_path])
    for kind in range(3):
        rows = [
            row for source in ("flux", "qwen") for row in every[source] if row["category"] == f"kind {kind}"
        ]
        assert_numbers(cell(result, "all", category=f"kind {kind}"), rows)
        own = [row for row in every["own"] if row["category"] == f"kind {kind}"]
        assert_numbers(cell(result, "own", "source", category=f"kind {kind}"), own)
    assert {c.name for c in result.cells if c.category is not None} == {"all", "own"}
    # A source that is in no group stands beside the groups.
    assert list(report(result).tables[0].shown_names[0].cells) == ["all", "low-res", "flux", "qwen", "own"]


def test_samples_without_categories_have_no_table_of_them(tmp_path: Path) -> None:
    put(tmp_path, samples=[{**row, "category": ""} for row in published_rows(np.random.default_rng(0), 5)])
    assert [table.label for table in report(tabulate([tmp_path])).tables] == ["groups", "sources"]


def test_mask_variants_are_methods_of_their_own(tmp_path: Path) -> None:
    for seed, variant in enumerate(("image", "foreground", "background")):
        put(tmp_path, seed=seed, variant=variant)
    result = tabulate([tmp_path])
    assert [c.variant for c in result.cells if c.scope == "source"][:3] == [
        "image",
        "foreground",
        "background",
    ]
    ssr = {c.variant: c.outcome.mean_margin for c in result.cells if c.name == "all" and c.category is None}
    assert len(set(ssr.values())) == 3
    assert {c.variant for c in tabulate([tmp_path], variants=["foreground"]).cells} == {"foreground"}
    assert list(report(result).tables[1].shown_names[1].cells) == [
        "org/a",
        "org/a (foreground)",
        "org/a (background)",
    ]


def test_unknown_and_absent_masks(tmp_path: Path) -> None:
    put(tmp_path)
    with pytest.raises(UsageError, match='unknown masks "foregruond": did you mean foreground'):
        tabulate([tmp_path], variants=["foregruond"])
    with pytest.raises(UsageError, match="no similarity file of --masks background; found: none"):
        tabulate([tmp_path], variants=["background"])


def test_rows_and_modes_are_told_apart(tmp_path: Path) -> None:
    put(tmp_path, mode="full")
    put(tmp_path, mode="fullneg")
    put(tmp_path, rows="valall")  # the published name ends in the rows that were asked for
    methods = {c.method for c in tabulate([tmp_path]).cells}
    assert methods == {"org/a [testall, full]", "org/a [testall, fullneg]"} | {"org/a [valall, fullneg]"}


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("nearid", ["Aleksandar/nearid-siglip2"]),
        ("siglip2", ["google/siglip2-so400m-patch14-384"]),
        ("siglip2-mean", ["google/siglip2-so400m-patch14-384+mean"]),
        ("siglip2-so400m-patch14-384", ["google/siglip2-so400m-patch14-384"]),
        ("nearid-mini", ["nearid-mini"]),
        ("vlm:Qwen/Qwen3", ["vlm:Qwen/Qwen3"]),
        ("Qwen/Qwen3", ["vlm:Qwen/Qwen3"]),
    ],
)
def test_chosen_metrics(tmp_path: Path, metric: str, expected: list[str]) -> None:
    siglip2 = "google~siglip2-so400m-patch14-384"
    for checkpoint in ("Aleksandar~nearid-siglip2", siglip2, f"{siglip2}+mean", "nearid-mini"):
        put(tmp_path, checkpoint=checkpoint)
    put(tmp_path, checkpoint="Qwen~Qwen3", family="vlm")
    result = tabulate([tmp_path], metrics=[metric])
    assert sorted({c.method for c in result.cells}) == expected
    assert result.files == 1


def test_an_unknown_metric(tmp_path: Path) -> None:
    put(tmp_path)
    with pytest.raises(UsageError, match='no similarity file of metric "org/b": did you mean org/a'):
        tabulate([tmp_path], metrics=["org/b"])


@pytest.fixture
def twice(tmp_path: Path) -> list[Path]:
    """The same model in two roots, on one source twice under two spellings of its folder."""
    put(tmp_path / "one", "NearID-Flux-1024", seed=1)
    put(tmp_path / "two", "NearID-Flux_1024", seed=2)
    put(tmp_path / "two", "sdxl", seed=3)
    return [tmp_path / "one", tmp_path / "two"]


def test_the_same_model_twice_is_an_error_that_shows_both_places(twice: list[Path]) -> None:
    with pytest.raises(InputError, match="1 similarity file found twice") as caught:
        tabulate(twice)
    (detail,) = caught.value.details
    assert detail.startswith("org/a on flux_1024 (image): ")
    for root, folder in zip(twice, ("NearID-Flux-1024", "NearID-Flux_1024"), strict=True):
        assert str(root / folder / name_of()) in detail


@pytest.mark.parametrize(("prefer", "seed"), [("first", 1), ("last", 2)])
def test_prefer(twice: list[Path], prefer: str, seed: int) -> None:
    result = tabulate(twice, prefer=prefer)
    assert_numbers(cell(result, "flux_1024", "source"), published_rows(np.random.default_rng(seed), 12))
    assert cell(result, "sdxl", "source").outcome.samples > 0  # what is found once is kept, wherever it is
    ((path, reason),) = result.passed_over
    assert str(twice[0 if prefer == "last" else 1]) in path
    assert reason.startswith(f"--prefer {prefer}: {twice[1 if prefer == 'last' else 0]}")


def test_prefer_must_be_known(twice: list[Path]) -> None:
    with pytest.raises(UsageError, match="unknown choice for --prefer"):
        tabulate(twice, prefer="newest")


def test_a_file_that_is_reached_twice_is_one(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / FOLDERS["flux"])
    (tmp_path / FOLDERS["flux"] / "loop").symlink_to(tmp_path)
    result = tabulate([tmp_path, tmp_path / FOLDERS["flux"], tmp_path])
    assert result.files == 1
    assert result.passed_over == ()


def test_a_file_by_its_name(tmp_path: Path) -> None:
    path = put(tmp_path)
    put(tmp_path, "sdxl")
    result = tabulate([path])
    assert (result.files, cell(result, "all").sources) == (1, ("flux",))
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"no similarity files below .*notes.txt"):
        tabulate([path, tmp_path / "notes.txt"])


def test_links_that_lead_out_are_named_and_followed_where_asked(tmp_path: Path) -> None:
    elsewhere = put(tmp_path / "elsewhere", "qwen").parent
    root = tmp_path / "root"
    put(root)
    (root / "NearID-SDXL").symlink_to(elsewhere)
    file = next(elsewhere.glob("sims*.csv"))
    (root / file.name).symlink_to(file)
    with pytest.raises(InputError, match=r"2 links lead out of .*; --follow-symlinks follows them") as caught:
        tabulate([root])
    assert f"NearID-SDXL -> {elsewhere}" in caught.value.message
    assert f"{file.name} -> {file}" in caught.value.message
    (root / file.name).unlink()
    for roots, follow in (([root], True), ([root, tmp_path / "elsewhere"], False)):
        result = tabulate(roots, follow_symlinks=follow)
        assert (result.files, cell(result, "sdxl", "source").outcome.samples > 0) == (2, True)


def test_sources_with_different_samples_are_named(tmp_path: Path) -> None:
    rows = published_rows(np.random.default_rng(0), 12)
    put(tmp_path, "flux", rows)
    put(tmp_path, "sdxl", rows[2:])
    put(tmp_path, "qwen", [{**row, "sample_id": f"other {row['sample_id']}"} for row in rows[:1]])
    result = tabulate([tmp_path])
    (uneven,) = result.uneven
    assert uneven.samples == 13
    assert uneven.sources == {"flux": 12, "qwen": 1, "sdxl": 10}
    line = "org/a (image): of 13 samples not every source has every one: flux 12, qwen 1, sdxl 10"
    assert line in report(result).findings
    for source in ("flux", "sdxl", "qwen"):
        put(tmp_path, source, rows)
    assert tabulate([tmp_path]).uneven == ()


def test_intervals_of_pools_know_that_sources_share_samples(tmp_path: Path) -> None:
    rows = published_rows(np.random.default_rng(0), 40, 0.05)
    for source in FOLDERS:
        put(tmp_path, source, rows)
    result = tabulate([tmp_path])
    one, pooled = cell(result, "flux", "source").outcome, cell(result, "all").outcome
    assert pooled.samples == 7 * one.samples
    np.testing.assert_allclose(pooled.pa_ci95, one.pa_ci95, atol=1e-12)


def test_files_that_are_passed_over_are_named(tmp_path: Path) -> None:
    put(tmp_path)
    positives = put(tmp_path, mode="positives")
    mtg = write_published(tmp_path / "MTG-Dataset" / "sims_image_test_mtg_org~a.csv", [{"sample_id": 0}])
    result = tabulate([tmp_path])
    assert dict(result.passed_over) == {
        str(positives): "mode positives: no distractors, so no trials",
        str(mtg): "not named like a similarity file of NearID-Bench",
    }
    assert any(line.startswith("2 files passed over: ") for line in report(result).findings)


def test_positives_alone(tmp_path: Path) -> None:
    put(tmp_path, mode="positives")
    with pytest.raises(InputError, match="1 similarity file of mode positives and no other"):
        tabulate([tmp_path])


def test_folders_that_are_not_there_or_empty(tmp_path: Path) -> None:
    put(tmp_path / "good")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"cannot search 2 folders: .*nowhere: no such folder") as caught:
        tabulate([tmp_path / "good", tmp_path / "nowhere", tmp_path / "neither"])
    assert caught.value.details == (f"{tmp_path / 'neither'}: no such folder",)
    with pytest.raises(InputError, match=r"no similarity files below .*empty; expected names such as"):
        tabulate([tmp_path / "good", tmp_path / "empty"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "locked").mkdir(mode=0)
    with pytest.raises(InputError, match=r"cannot read folder .*locked"):
        tabulate([tmp_path])


def test_all_bad_files_are_listed_at_once(tmp_path: Path) -> None:
    put(tmp_path, "flux")
    put(tmp_path, "sdxl").write_text("")
    put(tmp_path, "qwen").write_text("sample_id,sim_01\n1,2\n")
    rows = published_rows(np.random.default_rng(0), 3)
    put(tmp_path, "powerpaint", [*rows, rows[0]])
    put(tmp_path, "flux_1024", [{**rows[0], "sim_01": "very alike"}])
    with pytest.raises(InputError, match="4 bad similarity files: ") as caught:
        tabulate([tmp_path])
    listed = [caught.value.message.partition(": ")[2], *caught.value.details]
    problems = {Path(line.split(": ")[0]).parent.name: line.split(": ", 1)[1] for line in listed}
    assert problems == {
        "NearID-SDXL": "empty: expected a header and one line a sample",
        "NearID-Qwen": "no columns category, n_pos, n_neg, cross_00",
        "NearID-PowerPaint": '1 sample_id twice: "3"',
        "NearID-Flux-1024": 'sim_01: expected numbers, found "very alike"',
    }


def test_the_result_as_json(tmp_path: Path) -> None:
    put(tmp_path, "flux")
    put(tmp_path, "own")
    result = tabulate([tmp_path])
    held = json.loads(to_json(result))
    assert held == json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert held["schema"] == "nearid.bench.tables/2"
    assert held["files"] == 2
    assert held["groups"]["all"] == list(GROUPS["all"])
    (pooled,) = [c for c in held["cells"] if (c["scope"], c["name"], c["category"]) == ("group", "all", None)]
    ours = cell(result, "all")
    assert pooled["ssr"] == ours.outcome.ssr
    assert pooled["ssr_ci95"] == list(ours.outcome.ssr_ci95 or ())
    assert (pooled["sources"], len(pooled["missing"])) == (["flux"], 6)
    assert {
        "method",
        "family",
        "checkpoint",
        "variant",
        "rows",
        "mode",
        "samples",
        "trials",
        "pa_published",
    } <= set(pooled)


def test_a_number_that_does_not_exist_is_null(tmp_path: Path) -> None:
    put(tmp_path, samples=[{**row, "cross_00": math.nan, "cross_11": math.nan, "cross_22": math.nan}
                        for row in published_rows(np.random.default_rng(0), 4)])  # fmt: skip
    held = json.loads(to_json(tabulate([tmp_path])))
    assert held["cells"][0]["ssr"] is None
    assert held["cells"][0]["ssr_ci95"] is None
    assert (held["cells"][0]["samples"], held["cells"][0]["without_trials"]) == (0, 4)


def test_the_files_of_a_result(tmp_path: Path) -> None:
    for source in ("flux", "qwen", "own"):
        put(tmp_path, source)
    put(tmp_path, "flux", checkpoint="=org~b&c")
    result = tabulate([tmp_path])
    out = tmp_path / "out"
    out.mkdir()
    report(result).write(out)
    names = ("groups", "sources", "categories")
    assert {path.name for path in out.iterdir()} == {"summary.json"} | {
        f"{name}.{extension}" for name in names for extension in ("csv", "md", "tex")
    }
    assert (out / "summary.json").read_text() == to_json(result) + "\n"
    with (out / "sources.csv").open(newline="") as file:
        rows = {(row["name"], row["checkpoint"]): row for row in csv.DictReader(file)}
    found = cell(result, "qwen", "source")
    row = rows["qwen", "org/a"]
    for number in ("ssr", "pa", "pa_published", "h", "ssr_mean", "mean_margin", "median_margin"):
        assert float(row[number]) == getattr(found.outcome, number)
        assert (float(row[f"{number}_low"]), float(row[f"{number}_high"])) == getattr(
            found.outcome, f"{number}_ci95"
        )
    assert (row["sources"], row["sources_expected"], row["samples"]) == ("1", "1", str(found.outcome.samples))
    line = next(
        line for line in (out / "groups.md").read_text().splitlines() if line.startswith("| all | org/a")
    )
    pooled = cell(result, "all", method="org/a").outcome
    assert pooled.ssr is not None
    assert pooled.ssr_ci95 is not None
    low, high = pooled.ssr_ci95
    assert f"| 2/7 | {pooled.samples} | {100 * pooled.ssr:.2f} [{100 * low:.2f}, {100 * high:.2f}] |" in line
    tex = (out / "groups.tex").read_text()
    assert r"=org/b\&c" in tex
    assert r"\label{tab:nearid-bench-groups}" in tex


def test_published_names_of_vsm_and_nearid(tmp_path: Path) -> None:
    put(tmp_path, family="vsm", checkpoint="vsm")
    put(tmp_path, family="nearid", checkpoint="Aleksandar~nearid-siglip2")
    put(tmp_path, family="encodeid", checkpoint="MAPInfoNCEExt~3300")
    assert {c.method for c in tabulate([tmp_path]).cells} == {
        "vsm:vsm",
        "nearid:Aleksandar/nearid-siglip2",
        "encodeid:MAPInfoNCEExt/3300",
    }
