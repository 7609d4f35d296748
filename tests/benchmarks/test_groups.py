"""Benchmarks by label: a group has the numbers that the benchmark has on nothing else, and none that mean nothing."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats

from nearid_cli.benchmarks.dreambench import report as of_dreambench
from nearid_cli.benchmarks.dreambench.bench import evaluate
from nearid_cli.benchmarks.dreambench.result import Alignment, DreamBenchGroup
from nearid_cli.benchmarks.labels import asks_for_more
from nearid_cli.benchmarks.mtg import report as of_mtg
from nearid_cli.benchmarks.mtg.bench import MtgJob, evaluate_mtg
from nearid_cli.benchmarks.nearid import report as of_nearid
from nearid_cli.benchmarks.nearid.bench import NearidJob, bench_nearid
from nearid_cli.errors import UsageError
from nearid_cli.metrics.margins import outcome
from nearid_cli.options import Options
from nearid_cli.reports.formats.html import Html
from nearid_cli.reports.formats.markdown import Markdown
from tests.benchmarks.nearid_sets import CATEGORIES, IDS, made
from tests.benchmarks.part_edits import part_edits
from tests.nearid_data.making import saved, slots, table
from tests.rating import KEYS, METHODS, group_file, write_ratings

MATERIAL = ["wood", "steel", "wood", "wood", None, "steel", "wood", "steel"]
SPLIT = [True, True, False, True, True, False, True, True]


def read_rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def named(groups: Any) -> dict[str, Any]:
    return {"+".join(value or "" for value in one.labels.values()): one for one in groups}


@pytest.fixture(scope="module")
def sets(photographs: dict[str, Image.Image], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    every = made(photographs)
    every.save(folder)
    labelled = table(
        slots("images", every.views),
        id=IDS,
        category=CATEGORIES,
        Material=MATERIAL,
        held_out=SPLIT,
        weight=[0.5] * 8,
    )
    saved(labelled, folder / "Labelled")
    return folder


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    return Options(metrics=["hog"], cache=tmp_path_factory.mktemp("cache"), device="cpu", workers=2)


@pytest.fixture
def job(sets: Path) -> NearidJob:
    return NearidJob(str(sets / "Labelled"), (str(sets / "NearID-Flux_1024"), str(sets / "NearID-Qwen")))


class TestNearid:
    def test_a_group_is_what_the_benchmark_says_of_its_rows(
        self, job: NearidJob, options: Options, tmp_path: Path
    ) -> None:
        result = bench_nearid(replace(job, by=("material",)), tmp_path / "out", options)
        assert result.tables is not None
        groups = named(result.label_groups)
        assert list(groups) == ["steel", "wood", ""]
        for name, rows in (("steel", "Material=steel"), ("wood", "Material=wood")):
            for source in job.distractors:
                alone = bench_nearid(replace(job, rows=rows, distractors=(source,)), tmp_path / name, options)
                both = bench_nearid(
                    replace(job, distractors=(source,), by=("Material",)), tmp_path / "alone", options
                )
                assert alone.tables is not None
                (cell,) = (c for c in alone.tables.cells if c.scope == "source" and c.category is None)
                assert named(both.label_groups)[name].scores["hog"] == cell.outcome

    def test_of_several_sources_a_sample_counts_once(
        self, job: NearidJob, options: Options, tmp_path: Path
    ) -> None:
        result = bench_nearid(replace(job, by=("Material", "source+category")), tmp_path / "out", options)
        frames = {
            source: pd.read_csv(
                tmp_path / "out" / folder / "sims_image_trainall_full_hog.csv", dtype={"sample_id": str}
            )
            for source, folder in (("flux_1024", "NearID-Flux_1024"), ("qwen", "NearID-Qwen"))
        }
        frame = pd.concat([one.assign(source=source) for source, one in frames.items()], ignore_index=True)
        name = {
            str(key if key is not None else 4): material for key, material in zip(IDS, MATERIAL, strict=True)
        }
        frame["material"] = frame["sample_id"].map(name)
        trials = np.stack(
            [
                frame[f"sim_{pair}"] - frame[f"cross_{slot}{slot}"]
                for pair in ("01", "02", "12")
                for slot in pair
            ],
            axis=1,
        )
        by = {
            **{
                ("Material", material or ""): frame["material"].isin([material])
                for material in ("wood", "steel", None)
            },
            **{
                ("source+category", f"{source}+{category}"): (frame["source"] == source)
                & (frame["category"].fillna("") == category)
                for source in frames
                for category in ("cup", "car", "")
            },
        }
        found = {(one.by, "+".join(v or "" for v in one.labels.values())): one for one in result.label_groups}
        for key, rows in by.items():
            if not rows.any():
                assert key not in found
                continue
            own = trials[rows.to_numpy()]
            there = ~np.isnan(own)
            scores = found[key].scores["hog"]
            assert scores.trials == there.sum()
            assert scores.pa == pytest.approx((own > 0).sum() / there.sum())
            tried = there.any(axis=1)
            assert scores.ssr == pytest.approx((~there | (own > 0)).all(axis=1)[tried].mean())
            ids = frame["sample_id"][rows]
            assert found[key].samples == ids.nunique()
            assert scores == outcome(own, np.unique(ids, return_inverse=True)[1])
            assert (scores.ssr_ci95 is None) == (ids[tried].nunique() < 3)

    def test_it_is_the_table_of_categories_again(
        self, job: NearidJob, options: Options, tmp_path: Path
    ) -> None:
        (source, _) = job.distractors
        result = bench_nearid(replace(job, distractors=(source,), by=("category",)), tmp_path, options)
        assert result.tables is not None
        cells = {
            cell.category or "": cell.outcome for cell in result.tables.cells if cell.category is not None
        }
        assert {name: one.scores["hog"] for name, one in named(result.label_groups).items()} == cells

    def test_a_second_run_embeds_nothing_and_says_the_same(
        self, job: NearidJob, options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = replace(job, by=("category", "Material"))
        first = bench_nearid(asked, tmp_path, options)
        monkeypatch.setattr("nearid_cli.benchmarks.nearid.bench._make", None)
        assert bench_nearid(asked, tmp_path, options).label_groups == first.label_groups
        assert bench_nearid(replace(job, by=()), tmp_path, options).label_groups == ()
        monkeypatch.setattr(
            "nearid_cli.nearid_data.Identities.open", None
        )  # the files hold categories and sources
        assert bench_nearid(replace(job, by=("category", "source")), tmp_path, options).label_groups

    def test_unknown_labels_are_refused_before_anything_is_made(
        self, job: NearidJob, options: Options, tmp_path: Path
    ) -> None:
        with pytest.raises(UsageError, match='unknown label "materiel": did you mean Material') as caught:
            bench_nearid(replace(job, by=("materiel",)), tmp_path / "out", options)
        assert "the samples have 5 labels: id, category, Material, held_out, source" in str(caught.value)
        assert not (tmp_path / "out").exists()
        with pytest.raises(UsageError, match="mode positives"):
            replace(job, by=("category",), mode="positives")

    def test_rows_and_fewer_samples(self, job: NearidJob, options: Options, tmp_path: Path) -> None:
        asked = replace(job, by=("held_out",), rows="Material=wood", max_samples=3)
        groups = named(bench_nearid(asked, tmp_path, options).label_groups)
        assert {name: one.samples for name, one in groups.items()} == {"true": 2}

    def test_formats(self, job: NearidJob, options: Options, tmp_path: Path) -> None:
        result = bench_nearid(replace(job, by=("Material",)), tmp_path, options)
        report = of_nearid.report(result)
        report.write(tmp_path / "files")
        rows = read_rows(tmp_path / "files" / "breakdown.csv")
        assert [(row["by"], row["group"], row["metric"]) for row in rows] == [
            ("Material", "steel", "hog"),
            ("Material", "wood", "hog"),
            ("Material", "", "hog"),
        ]
        assert float(rows[1]["ssr"]) == named(result.label_groups)["wood"].scores["hog"].ssr
        stored = json.loads((tmp_path / "files" / "summary.json").read_text())
        assert stored["label_groups"][1]["labels"] == {"Material": "wood"}
        assert stored["label_groups"][1]["scores"]["hog"]["trials"] > 0
        for page in (Markdown().render(report.document), Html().render(report.document)):
            assert "Material wood" in page
            assert "no Material" in page
        plain = of_nearid.report(bench_nearid(job, tmp_path, options))
        assert "label_groups" not in plain.result.to_dict()
        assert "Material" not in Markdown().render(plain.document)


def holm(p: list[float]) -> list[float]:
    """Step by step: the smallest of m times m, the next one times m - 1, and never below the one before."""
    order, found, most = np.argsort(p, kind="stable"), [0.0] * len(p), 0.0
    for rank, place in enumerate(order):
        most = max(most, min(1.0, (len(p) - rank) * p[place]))
        found[place] = most
    return found


class TestDifferences:
    """Metrics against each other in each group, tested together."""

    def test_nearid(self, job: NearidJob, options: Options, tmp_path: Path) -> None:
        both = replace(options, metrics=["hog", "nearid-mini"])
        result = bench_nearid(replace(job, by=("Material", "category")), tmp_path / "out", both)
        for name in ("steel", "wood"):
            (group,) = (one for one in result.label_groups if one.labels == {"Material": name})
            assert [(one.pool, one.number, one.method, one.against) for one in group.differences] == [
                (f"Material {name}", number, "nearid-mini", "hog") for number in ("ssr", "pa")
            ]
            for one in group.differences:
                ours, theirs = (
                    getattr(group.scores[metric], one.number) for metric in ("nearid-mini", "hog")
                )
                assert one.delta == pytest.approx(ours - theirs)
        for by in ("Material", "category"):
            for number in ("ssr", "pa"):
                own = [
                    row
                    for group in result.label_groups
                    if group.by == by
                    for row in group.differences
                    if row.number == number
                ]
                assert len(own) > 1
                assert [row.p_holm for row in own] == pytest.approx(holm([row.p for row in own]))
        of_nearid.report(result).write(tmp_path / "files")
        rows = read_rows(tmp_path / "files" / "breakdown-differences.csv")
        assert rows[0]["pool"] == "Material steel"
        assert len(rows) == sum(len(group.differences) for group in result.label_groups)

    def test_mtg(self, tmp_path: Path) -> None:
        data = saved(table(part_edits(12), part=["wheel", "lid", "eye"] * 4), tmp_path / "mtg")
        options = Options(metrics=("hog", "nearid-mini"), progress=False)
        result = evaluate_mtg(MtgJob(data, "train", by=("part",)), options)
        p = {"ssr": [], "pa": []}
        for group in result.groups:
            alone = evaluate_mtg(
                MtgJob(data, "train", rows=f"part={group.labels['part']}"), options
            ).differences
            assert len(group.differences) == len(alone) == 2
            for one, other in zip(group.differences, alone, strict=True):
                assert (one.delta, one.ci95, one.p) == (other.delta, other.ci95, other.p)
                p[one.number].append((one.p, one.p_holm))
        for pairs in p.values():
            assert [adjusted for _, adjusted in pairs] == pytest.approx(holm([plain for plain, _ in pairs]))
        of_mtg.report(result).write(tmp_path / "files")
        assert len(read_rows(tmp_path / "files" / "breakdown-differences.csv")) == 6

    def test_dreambench(self, ratings: Path, tmp_path: Path) -> None:
        sets = [(name, ratings / f"data_{name}_rating") for name in ("good", "poor")]
        found = evaluate(None, sets, ratings, against="poor", by=("category", "prompt_number"))
        whole = {one.category: one for one in found.result.differences}
        names = {"animal": "live_subject_animal", "human": "live_subject_human"}
        groups = [one for one in found.result.groups if one.by == "category"]
        for group in groups:
            (own,) = group.differences
            category = str(group.labels["category"])
            other = whole[names.get(category, category)]
            assert (own.delta, own.ci95, own.p, own.items) == (other.delta, other.ci95, other.p, other.items)
        assert [one.differences[0].p_holm for one in groups] == pytest.approx(
            holm([one.differences[0].p for one in groups])
        )
        of_dreambench.write(found, tmp_path)
        assert len(read_rows(tmp_path / "breakdown-differences.csv")) == 8
        plain = evaluate(None, sets, ratings, by=("category",)).result
        assert [one.differences for one in plain.groups] == [()] * 4


class TestMtg:
    @pytest.fixture
    def data(self, tmp_path: Path) -> str:
        kinds = ["wheel", "wheel", "lid", "wheel", "lid", "lid", "wheel", None, "eye", "eye"]
        return saved(table(part_edits(10), part=kinds), tmp_path / "mtg")

    def measured(self, data: str, **job: Any) -> Any:
        return evaluate_mtg(MtgJob(data, "train", **job), Options(metrics=("hog",), progress=False))

    def test_a_group_is_what_the_benchmark_says_of_its_rows(self, data: str) -> None:
        groups = named(self.measured(data, by=("part",)).groups)
        assert {name: one.samples for name, one in groups.items()} == {"eye": 2, "lid": 3, "wheel": 4, "": 1}
        for name in ("lid", "wheel"):
            alone = self.measured(data, rows=f"part={name}").scores["hog"]
            assert groups[name].scores["hog"] == alone
            assert alone.mo is not None

    def test_two_samples_have_no_correlation(self, data: str) -> None:
        groups = named(self.measured(data, by=("part",)).groups)
        for name in ("eye", ""):
            scores = groups[name].scores["hog"]
            assert (scores.mo, scores.mo_ci95, scores.mo_pair, scores.mo_pair_ci95) == (None,) * 4
            assert scores.ssr is not None
            assert scores.ssr_ci95 is None
        assert (
            self.measured(data, rows="part=eye").scores["hog"].mo is not None
        )  # of which nothing can be said

    def test_labels_are_checked_first(self, data: str) -> None:
        with pytest.raises(UsageError, match='unknown label "par": did you mean part'):
            self.measured(data, by=("par",))
        with pytest.raises(UsageError, match="nothing is known of the samples"):
            self.measured(saved(table(part_edits(3)), Path(data) / "bare"), by=("part",))

    def test_a_run_that_is_resumed(self, data: str, tmp_path: Path) -> None:
        job = MtgJob(data, "train", by=("part",))
        options = Options(metrics=("hog",), progress=False)
        first = evaluate_mtg(job, options, tmp_path / "out")
        assert evaluate_mtg(job, options, tmp_path / "out").groups == first.groups

    def test_formats(self, data: str, tmp_path: Path) -> None:
        report = of_mtg.report(self.measured(data, by=("part",)))
        report.write(tmp_path)
        stored = json.loads((tmp_path / "summary.json").read_text())["groups"]
        assert [one["labels"]["part"] for one in stored] == ["eye", "lid", "wheel", None]
        rows = read_rows(tmp_path / "breakdown.csv")
        assert [row["mo"] != "" for row in rows] == [False, True, True, False]
        for render in (Markdown(), Html()):
            assert "part wheel" in render.render(report.document)
        assert "groups" not in of_mtg.report(self.measured(data)).result.to_dict()


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ratings(tmp_path_factory.mktemp("ratings"))


class TestDreamBench:
    def groups(self, ratings: Path, *by: str) -> dict[str, DreamBenchGroup]:
        found = evaluate(None, [("good", ratings / "data_good_rating")], ratings, by=by).result
        return named(found.groups)

    def agreement(self, ratings: Path, keep: Any, methods: tuple[str, ...] = METHODS) -> dict[str, float]:
        """By category and as mean, with pandas and SciPy."""
        means: dict[str, float] = {}
        for category in ("object", "live_subject_animal", "live_subject_human", "style"):
            rs = []
            for method in methods:
                numbers = {
                    "a": json.loads(group_file(ratings, 1, method).read_text()),
                    "b": json.loads(group_file(ratings, 2, method).read_text()),
                    "s": {
                        key.removesuffix("_0").replace("rubik's", "magic"): value
                        for key, value in json.loads(
                            (ratings / "data_good_rating" / f"{method}.json").read_text()
                        ).items()
                    },
                }
                own = pd.DataFrame(numbers).filter(regex=f"^{category}_", axis=0)
                own = own[[keep(key) for key in own.index]]
                if len(own) >= 3 and (own.max() > own.min()).all():  # else a method has no correlation
                    rs.append(
                        np.mean([stats.pearsonr(own[rater], own["s"]).statistic for rater in ("a", "b")])
                    )
            if rs:
                means[category] = float(np.tanh(np.arctanh(rs).mean()))
        return means | {"mean": float(np.tanh(np.arctanh([*means.values()]).mean()))}

    def check(self, alignment: Alignment, expected: Mapping[str, float]) -> None:
        assert alignment.mean == pytest.approx(expected["mean"], abs=1e-9)
        for one in alignment.categories:
            assert one.mh == pytest.approx(expected[one.category], abs=1e-9)

    def test_kinds_of_prompts(self, ratings: Path) -> None:
        """The ratings of the tests have prompts 0 to 3, which all ask for photographs."""
        found = self.groups(ratings, "prompt_kind")
        assert list(found) == ["photorealistic"]
        whole = evaluate(None, [("good", ratings / "data_good_rating")], ratings).result
        assert found["photorealistic"].alignments == whole.alignments
        assert found["photorealistic"].human == whole.human
        assert (found["photorealistic"].items, found["photorealistic"].subjects) == (7 * len(KEYS), 20)

    def test_numbers_of_prompts_against_an_independent_computation(self, ratings: Path) -> None:
        found = self.groups(ratings, "prompt_number")
        assert list(found) == ["0", "1", "2", "3"]
        for number, group in found.items():
            (own,) = group.alignments
            self.check(own, self.agreement(ratings, lambda key, number=number: key.endswith(f"-{number}")))
            assert own.mean_ci95 is not None

    def test_methods_and_categories(self, ratings: Path) -> None:
        found = self.groups(ratings, "method", "category")
        for method in METHODS:
            (own,) = found[method].alignments
            self.check(own, self.agreement(ratings, lambda key: True, (method,)))
        assert [*found][-4:] == ["animal", "human", "object", "style"]
        whole = self.agreement(ratings, lambda key: True)
        for name in ("animal", "human"):
            assert found[name].alignments[0].mean == pytest.approx(whole[f"live_subject_{name}"], abs=1e-9)

    def test_too_few_pictures_have_no_agreement(self, ratings: Path) -> None:
        found = self.groups(ratings, "subject+prompt_number")
        assert len(found) == len(KEYS)
        for group in found.values():
            assert (group.items, group.subjects) == (7, 1)
            assert (group.human.mean, group.alignments[0].mean) == (None, None)
        by_subject = self.groups(ratings, "subject")
        assert all(one.alignments[0].mean is not None for one in by_subject.values())
        assert all(one.alignments[0].mean_ci95 is None for one in by_subject.values()), "one subject"

    def test_formats(self, ratings: Path, tmp_path: Path) -> None:
        found = evaluate(
            None, [("good", ratings / "data_good_rating")], ratings, by=("category+prompt_number",)
        )
        of_dreambench.write(found, tmp_path)
        rows = read_rows(tmp_path / "breakdown.csv")
        assert [(row["group"], row["metric"]) for row in rows[:2]] == [
            ("animal+0", "human-human"),
            ("animal+0", "good"),
        ]
        stored = json.loads((tmp_path / "summary.json").read_text())["groups"]
        assert len(stored) == 16
        assert stored[0]["labels"] == {"category": "animal", "prompt_number": "0"}
        document = of_dreambench.report(found.result).document
        for render in (Markdown(), Html()):
            assert "category style, prompt\\_number 3" in render.render(document).replace(
                "prompt_n", "prompt\\_n"
            )

    def test_a_long_table_is_not_for_a_terminal(self, ratings: Path) -> None:
        found = evaluate(
            None, [("good", ratings / "data_good_rating")], ratings, by=("subject+prompt_number",)
        )
        report = of_dreambench.report(found.result)
        assert report.few["breakdown"] == []
        assert "--by: 160 rows, which are in breakdown.csv of -o DIR, and in files of -o" in report.findings

    def test_unknown_labels(self, ratings: Path) -> None:
        with pytest.raises(
            UsageError, match="the samples have 5 labels: category, prompt_kind, prompt_number, subject"
        ):
            self.groups(ratings, "promt")


def test_what_asks_for_more_than_is_known() -> None:
    known = ("source", "category")
    assert not asks_for_more(["category", "Source+category"], known)
    assert asks_for_more(["category,split"], known)
    assert asks_for_more(["source+split"], known)
