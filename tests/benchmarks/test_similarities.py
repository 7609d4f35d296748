from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearid_cli.benchmarks.tables.similarities import (
    GROUPS,
    MODES,
    VARIANTS,
    Similarities,
    file_name,
    parse_name,
    read_similarities,
    source_tag,
    write_similarities,
)
from nearid_cli.errors import InputError
from tests.benchmarks.similarity_files import published_rows, write_published

NAME = "sims_image_testall_fullneg_org~model.csv"


def made(size: int = 4, seed: int = 0) -> Similarities:
    rng = np.random.default_rng(seed)
    found = Similarities(
        sample_ids=tuple(f"=id,{n}" for n in range(size)),
        categories=("toy, soft", "", 'a "mug"', "two\nlines")[:size],
        n_pos=np.full(size, 3),
        n_neg=np.full(size, 3),
        # So short that every version of pandas reads them to the last bit.
        sim=rng.normal(size=(size, 3)).round(8),
        cross=rng.normal(size=(size, 3, 3)).round(8),
        neg_sim=rng.normal(size=(size, 3)).round(8),
    )
    found.sim[0, 1] = found.cross[1, 2] = found.neg_sim[2] = np.nan
    return found


def assert_same(one: Similarities, other: Similarities) -> None:
    assert (one.sample_ids, one.categories) == (other.sample_ids, other.categories)
    for name in ("n_pos", "n_neg", "sim", "cross", "neg_sim"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_written_and_read_the_same_to_the_last_bit(tmp_path: Path) -> None:
    write_similarities(tmp_path / NAME, made())
    assert_same(read_similarities(tmp_path / NAME), made())


@settings(max_examples=30)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=3, max_size=3))
def test_any_number(tmp_path_factory: pytest.TempPathFactory, numbers: list[float]) -> None:
    path = tmp_path_factory.mktemp("any") / NAME
    similarities = made()
    similarities.sim[0] = numbers
    write_similarities(path, similarities)
    np.testing.assert_array_equal(read_similarities(path).sim[0], np.array(numbers))


def test_pandas_reads_and_writes_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / NAME
    write_similarities(path, made())
    frame = pd.read_csv(path)
    frame.to_csv(tmp_path / "again.csv", index=False)
    assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()
    columns = ["sample_id", "category", "n_pos", "n_neg", "sim_01", "sim_02", "sim_12"]
    columns += [f"cross_{i}{j}" for i in range(3) for j in range(3)] + [
        "neg_sim_01",
        "neg_sim_02",
        "neg_sim_12",
    ]
    assert list(frame) == columns


def test_the_twin_in_parquet(tmp_path: Path) -> None:
    path = tmp_path / NAME
    write_similarities(path, made())
    twin = pd.read_parquet(path.with_suffix(".parquet"))
    pd.testing.assert_frame_equal(
        twin.fillna({"category": ""}),
        pd.read_csv(path).fillna({"category": ""}),
        check_exact=True,
        check_dtype=False,
    )


def test_columns_that_no_sample_has_are_left_out_as_published(tmp_path: Path) -> None:
    nothing = np.full((4, 3), np.nan)
    positives = replace(made(), cross=np.full((4, 3, 3), np.nan), neg_sim=nothing)
    path = tmp_path / NAME.replace("fullneg", "positives")
    write_similarities(path, positives)
    assert path.read_text().splitlines()[0] == "sample_id,category,n_pos,n_neg,sim_01,sim_02,sim_12"
    assert_same(read_similarities(path), positives)


@pytest.mark.parametrize("mode", MODES)
def test_published_files(tmp_path: Path, mode: str) -> None:
    rows = published_rows(np.random.default_rng(1), 20, mode=mode)
    path = write_published(tmp_path / NAME.replace("fullneg", mode), rows)
    found = read_similarities(path)
    assert found.sample_ids == tuple(str(row["sample_id"]) for row in rows)
    for n, row in enumerate(rows):
        assert (found.n_pos[n], found.n_neg[n], found.categories[n]) == (
            row["n_pos"],
            row["n_neg"],
            row["category"],
        )
        for k, (i, j) in enumerate([(0, 1), (0, 2), (1, 2)]):
            np.testing.assert_equal(found.sim[n, k], row.get(f"sim_{i}{j}", math.nan))
            np.testing.assert_equal(found.neg_sim[n, k], row.get(f"neg_sim_{i}{j}", math.nan))
        for i in range(3):
            for j in range(3):
                np.testing.assert_equal(found.cross[n, i, j], row.get(f"cross_{i}{j}", math.nan))


def test_scores_of_vlms_are_on_0_to_10_and_have_words_beside_them(tmp_path: Path) -> None:
    row = {
        "sample_id": 1,
        "category": "mug",
        "n_pos": 2,
        "n_neg": 1,
        "sim_01": 9.0,
        "sim_01_confidence": "high",
    }
    row |= {"sim_01_match_cues": '["red, round", "a \\"logo\\""]', "cross_00": 3.0, "cross_10": math.nan}
    found = read_similarities(write_published(tmp_path / NAME.replace("sims_", "sims_vlm_"), [row]))
    assert found.sim[0].tolist()[0] == 9.0 / 10.0
    assert found.cross[0, 0, 0] == 3.0 / 10.0
    assert np.isnan(found.cross[0, 1, 0])
    # Only they are: a distance of any other family is what it is.
    assert (
        read_similarities(write_published(tmp_path / NAME.replace("sims_", "sims_vsm_"), [row])).sim[0, 0]
        == 9.0
    )


@pytest.mark.parametrize("cell", ["", "nan", "NaN", "NA", "None", "-nan", "n/a", "#N/A"])
def test_cells_that_are_empty(tmp_path: Path, cell: str) -> None:
    (tmp_path / NAME).write_text(f"sample_id,category,n_pos,n_neg,sim_01,cross_00\n1,x,2,1,{cell},0.5\n")
    found = read_similarities(tmp_path / NAME)
    assert np.isnan(found.sim).all()
    assert found.cross[0, 0, 0] == 0.5


HEADER = "sample_id,category,n_pos,n_neg,sim_01,cross_00"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty: expected a header and one line a sample"),
        ("\n", "empty: expected a header and one line a sample"),
        (HEADER + "\n", "empty: expected a header and one line a sample"),
        ("sample_id,sim_01\n1,0.5\n", "no columns category, n_pos, n_neg, cross_00"),
        (f"{HEADER}\n1,x,3,2,0.5,0.4\n", "no columns sim_02, sim_12, cross_11"),
        (f"{HEADER}\n1,x,2,1,high,0.4\n", 'sim_01: expected numbers, found "high"'),
        (
            f"{HEADER}\n1,x,2,1,inf,1_0\n",
            'sim_01: expected numbers, found "inf"; cross_00: expected numbers, found "1_0"',
        ),
        (
            f"{HEADER}\n1,x,two,1.5,0.5,0.4\n",
            'n_pos: expected 0 to 3, found "two"; n_neg: expected 0 to 3, found "1.5"',
        ),
        (
            f"{HEADER}\n1,x,,4,0.5,0.4\n",
            'n_pos: expected 0 to 3, found ""; n_neg: expected 0 to 3, found "4"',
        ),
        (f"{HEADER}\n" + "1,x,2,1,0.5,0.4\n" * 2, '1 sample_id twice: "1"'),
        (f"{HEADER},sim_01\n1,x,2,1,0.5,0.4,0.3\n", "column sim_01 twice"),
        (
            f"{HEADER}\n1,x,2,1,0.5,0.4\n2,x,2,1,0.",
            '1 line with more or fewer cells than the header\'s 6, first that of "2" with 5: was the file cut off?',
        ),
    ],
)
def test_bad_files(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / NAME
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_similarities(path)
    assert caught.value.message == f"{path}: {problem}"
    assert caught.value.details == ()


@pytest.mark.parametrize("content", [b"\xff\xfe1", b'"open', b"a,b\n\x00,1\n"])
def test_no_csv_at_all(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(InputError, match=r"not a CSV file in UTF-8|empty|cells than|no columns"):
        read_similarities(tmp_path / NAME)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*No such file"):
        read_similarities(tmp_path / NAME)


def test_a_byte_order_mark_and_windows_lines_are_no_harm(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n1,x,2,1,0.5,0.4\r\n\r\n".encode())
    assert read_similarities(tmp_path / NAME).sample_ids == ("1",)


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        write_similarities(tmp_path / "nowhere" / NAME, made())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sims_image_testall_fullneg_google~siglip2-so400m-patch14-384.csv",
         ("", "image", "testall", "fullneg", "google/siglip2-so400m-patch14-384")),
        ("sims_vsm_image_testall_fullneg_vsm.csv", ("vsm", "image", "testall", "fullneg", "vsm")),
        ("sims_encodeid_foreground_val_allall_full_MAPInfoNCEExt~3300_260301-070712.csv",
         ("encodeid", "foreground", "val_allall", "full", "MAPInfoNCEExt/3300_260301-070712")),
        ("sims_background_train100_positives_a_full_b.csv", ("", "background", "train100", "positives", "a_full_b")),
        ("sims_nearid_image_my_full_rowsall_fullneg_x.csv", ("nearid", "image", "my_full_rowsall", "fullneg", "x")),
    ],
)  # fmt: skip
def test_names(name: str, expected: tuple[str, ...]) -> None:
    found = parse_name(Path("out") / "NearID-SDXL" / name)
    assert found is not None
    assert (found.family, found.variant, found.rows, found.mode, found.checkpoint) == expected
    assert found.source == "sdxl"


@pytest.mark.parametrize(
    "name",
    [
        "sims_image_test_mtg_x.csv",
        "sims_image_testall_full_x.parquet",
        "tables.csv",
        "sims_mask_testall_full_x.csv",
    ],
)
def test_names_of_other_files(name: str) -> None:
    assert parse_name(Path(name)) is None


WORD = st.text("abz09-.", min_size=1)


@given(
    st.sampled_from(["", "vlm", "vsm", "nearid"]),
    st.sampled_from(VARIANTS),
    st.one_of(st.none(), st.text("abz_", min_size=1).filter(lambda text: text.strip("_") == text)),
    st.one_of(st.none(), st.integers(1, 10**6)),
    st.sampled_from(MODES),
    st.lists(WORD, min_size=1, max_size=3).map("/".join),
)
def test_a_name_is_read_as_it_was_written(
    family: str, variant: str, rows: str | None, number: int | None, mode: str, checkpoint: str
) -> None:
    name = file_name(family, variant, rows, number, mode, checkpoint)
    found = parse_name(Path("NearID-Flux") / name)
    assert found is not None
    assert (found.family, found.variant, found.mode, found.checkpoint) == (family, variant, mode, checkpoint)
    assert found.rows == f"{rows or 'train'}{number or 'all'}"


@pytest.mark.parametrize(
    ("folder", "tag"),
    [
        ("NearID-Flux", "flux"),
        ("NearID-Flux-1024", "flux_1024"),
        ("NearID-Flux_1024", "flux_1024"),
        ("NearID-FluxC", "fluxc"),
        ("SynCD-Qwen_1328", "qwen_1328"),
        ("NearID - PowerPaint", "powerpaint"),
        ("flux", "flux"),
        ("NearID-Flux-1024-second", "flux_1024_second"),
        ("-", ""),
    ],
)
def test_source_tags(folder: str, tag: str) -> None:
    assert source_tag(folder) == tag


def test_the_groups_of_the_paper() -> None:
    assert set(GROUPS["all"]) == {"flux", "flux_1024", "powerpaint", "sdxl", "sdxl_1024", "qwen", "qwen_1328"}
    families = [set(GROUPS[name]) for name in ("flux", "sdxl", "qwen", "powerpaint")]
    assert set.union(*families) == set(GROUPS["all"])
    assert set(GROUPS["low-res"]) | set(GROUPS["full-res"]) == set(GROUPS["all"]) - {"powerpaint"}
    assert not set(GROUPS["fluxc"]) & set(GROUPS["all"])


def test_the_source_of_a_file_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "NearID-Qwen").mkdir()
    monkeypatch.chdir(tmp_path / "NearID-Qwen")
    found = parse_name(Path(NAME))
    assert found is not None
    assert found.source == "qwen"
