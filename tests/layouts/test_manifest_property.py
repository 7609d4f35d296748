"""Whatever names people have: a manifest that some program wrote reads back as what was written."""

import csv
import json
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearid_cli.layouts.tables.manifest import read_manifest
from nearid_cli.layouts.tables.spelling import look_alike

CHARACTERS = st.one_of(
    st.sampled_from(" ,;\t\"'\n\\~./:éÉe\u0301\u00a0\u200b\ufeff"),
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"),
)
TEXT = st.text(CHARACTERS, max_size=20)
SAID = TEXT.filter(str.strip)
FILE = SAID.map(lambda name: name.replace("/", "_")).filter(lambda name: name not in (".", ".."))
KNOWN = ("path", "subject", "role", "method", "prompt", "seed", "step", "category")


def write_csv(path, columns, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def write_json_lines(path, columns, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def pandas_csv(path, columns, rows):
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)


def pandas_semicolons_in_utf16(path, columns, rows):
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False, sep=";", encoding="utf-16")


def pandas_parquet(path, columns, rows):
    pd.DataFrame(rows, columns=columns).to_parquet(path)


@pytest.mark.parametrize(
    ("write", "extension"),
    [
        (write_csv, "csv"),
        (write_json_lines, "jsonl"),
        (pandas_csv, "csv"),
        (pandas_semicolons_in_utf16, "csv"),
        (pandas_parquet, "parquet"),
    ],
)
@settings(max_examples=40)
@given(data=st.data())
def test_what_was_written_is_read(write, extension, data):
    alike = {"unique_by": look_alike, "min_size": 1, "max_size": 4}
    subjects = data.draw(st.lists(SAID, **alike), "subjects")
    methods = data.draw(st.lists(SAID, **alike), "methods")
    columns = [*KNOWN, *data.draw(st.lists(SAID, unique_by=look_alike, max_size=3), "columns")]
    columns = list({look_alike(name): name for name in reversed(columns)}.values())[::-1]
    files = data.draw(st.lists(FILE, unique=True, min_size=1, max_size=8), "files")
    rows = []
    for file in files:
        row = {column: data.draw(TEXT) for column in columns}
        row |= {
            "path": file,
            "subject": data.draw(st.sampled_from(subjects)),
            "role": data.draw(st.sampled_from(["reference", " Generation", "DISTRACTOR "])),
            "method": data.draw(st.sampled_from([*methods, ""])),
        }
        rows.append(row)
    with tempfile.TemporaryDirectory() as folder:
        pictures, manifest = Path(folder) / "pictures", Path(folder) / f"m.{extension}"
        pictures.mkdir()
        for row in rows:
            (pictures / row["path"]).touch()
            row["path"] = f"pictures/{row['path']}"
        write(manifest, columns, rows)
        found = read_manifest(manifest)
    said = {
        one.name: (role, subject, one.method, one.prompt, one.seed, one.labels)
        for role, by_subject in found.roles.items()
        for subject, ones in by_subject.items()
        for one in ones
    }
    labels = {name for name in columns if name not in KNOWN[:6]}
    assert said == {
        row["path"]: (
            row["role"].strip().lower(),
            row["subject"].strip(),
            row["method"].strip() or None,
            row["prompt"].strip() or None,
            row["seed"].strip() or None,
            {name.strip(): row[name].strip() for name in labels if row[name].strip()},
        )
        for row in rows
    }
    assert not found.left_out
