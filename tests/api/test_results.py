"""What results do in Python: subjects by name, data frames, one line, a table in a notebook, files."""

from __future__ import annotations

import copy
import json
import pickle
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

import nearid_cli
from nearid_cli.benchmarks.mtg.result import MtgResult
from nearid_cli.errors import InputError, UsageError
from nearid_cli.results import CompareResult, EmbedResult, GateResult, Methods, ScoreResult, Subjects
from nearid_cli.results.reading import read_result
from tests.commandline import Nearid


@pytest.fixture
def here(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data, with a second method `copier`, which hands back the references."""
    monkeypatch.chdir(data)
    for subject in ("cat", "cup", "ship"):
        folder = Path("methods/copier") / subject
        folder.mkdir(parents=True)
        for number in range(2):
            (folder / f"{number}.jpg").write_bytes(Path(f"refs/{subject}/{number}.jpg").read_bytes())
    Path("gens").rename("methods/ours")
    return data


@pytest.fixture
def scored(here: Path) -> ScoreResult:
    return nearid_cli.score("refs", "methods/ours", ["hog", "nearid-mini"])


@pytest.fixture
def compared(here: Path) -> CompareResult:
    return nearid_cli.compare("methods", "refs", ["hog", "nearid-mini"])


def test_subjects_by_name_and_as_the_tuple_they_were(scored: ScoreResult) -> None:
    subjects = scored.subjects
    assert subjects["cup"] is subjects[1] is subjects[-2]
    assert [one.subject for one in subjects] == subjects.names() == ["cat", "cup", "ship"]
    assert type(subjects[:2]) is tuple
    assert subjects[:2] == (subjects["cat"], subjects["cup"])
    assert len(subjects) == 3
    assert subjects == tuple(subjects)
    assert hash(()) == hash(Subjects())
    assert "cat" in subjects
    assert "dog" not in subjects
    assert subjects[0] in subjects
    with pytest.raises(KeyError, match=r'unknown subject .*"cap.*: did you mean cup or cat\?'):
        subjects["cap"]
    with pytest.raises(KeyError, match=r"known: cat, cup, ship"):
        subjects["zzz"]
    with pytest.raises(IndexError):
        subjects[3]


def test_methods_by_name(compared: CompareResult) -> None:
    assert compared.methods["copier"].copying
    assert compared.methods["ours"].result.subjects["cat"].subject == "cat"
    with pytest.raises(KeyError, match="did you mean ours"):
        compared.methods["our"]


def test_results_are_copied_pickled_and_read_back_whole(scored: ScoreResult, compared: CompareResult) -> None:
    for result in (scored, compared):
        for twin in (
            pickle.loads(pickle.dumps(result)),
            copy.copy(result),
            copy.deepcopy(result),
            replace(result),
        ):
            assert twin == result
            assert json.dumps(twin.to_dict()) == json.dumps(result.to_dict())
        result.save("r.json")
        back = read_result(Path("r.json"))
        assert back == result
    assert type(back.methods) is Methods
    assert type(pickle.loads(pickle.dumps(scored)).subjects) is Subjects
    assert type(replace(scored, subjects=tuple(scored.subjects)).subjects) is Subjects
    assert isinstance(scored.to_dict()["subjects"], list)


def test_the_frame_of_a_score_is_its_csv(nearid: Nearid, here: Path, scored: ScoreResult) -> None:
    command = ("score", "refs", "methods/ours", "-m", "hog,nearid-mini", "-o", "x.csv", "-o", "x.parquet")
    assert nearid(*command, "--images", "i.csv").code == 0
    pd.testing.assert_frame_equal(scored.to_pandas(), pd.read_csv("x.csv"), rtol=1e-12)
    pd.testing.assert_frame_equal(scored.to_pandas(), pd.read_parquet("x.parquet"))
    images = pd.read_csv("i.csv")
    pd.testing.assert_frame_equal(
        scored.to_pandas(images=True).fillna(""), images.astype({"copy_of": object}).fillna(""), rtol=1e-12
    )
    assert len(images) == 9


def test_the_frame_of_a_comparison_is_its_csv(nearid: Nearid, here: Path, compared: CompareResult) -> None:
    command = (
        "compare",
        "methods",
        "--refs",
        "refs",
        "-m",
        "hog,nearid-mini",
        "-o",
        "x.csv",
        "-o",
        "x.parquet",
    )
    assert nearid(*command, "--images", "i.csv").code == 0
    frame = compared.to_pandas()
    assert frame["hog_rank"].dtype == "Int64"
    holes = {name: float for name, dtype in frame.dtypes.items() if dtype == "Int64"}
    pd.testing.assert_frame_equal(frame.astype(holes), pd.read_csv("x.csv"), rtol=1e-12)
    pd.testing.assert_frame_equal(frame.astype(holes), pd.read_parquet("x.parquet"), check_exact=True)
    assert frame["method"].tolist() == ["ours", "copier"]
    assert frame.loc[1, "hog_rank"] is pd.NA
    assert compared.to_pandas(images=True)["method"].value_counts().to_dict() == {"ours": 9, "copier": 6}


def test_a_frame_has_names_as_they_are(scored: ScoreResult) -> None:
    first = replace(scored.subjects[0], subject="=1+1\n")
    odd = replace(scored, subjects=Subjects([first, *scored.subjects[1:]]))
    assert odd.to_pandas().loc[0, "subject"] == "=1+1\n"


def test_every_result_says_itself_in_one_line(
    scored: ScoreResult, compared: CompareResult, here: Path
) -> None:
    score, low, high = (scored.aggregate["hog"].score, *scored.aggregate["hog"].ci95)
    assert repr(scored).startswith(
        f"<ScoreResult: 3 subjects, 6 references, 9 generations; hog {score:.3f} [{low:.3f}, {high:.3f}], nearid-mini"
    )
    copier = compared.methods["copier"].result
    assert "6 generations, 6 copies; hog" in repr(copier)
    # The copier has the highest scores of all, and comes last with the reason.
    assert copier.aggregate["hog"].score > score
    assert repr(compared) == (
        f"<CompareResult: 2 methods by hog, nearid-mini; hog: ours {score:.3f}, "
        f"copier {copier.aggregate['hog'].score:.3f} (copies references)>"
    )
    pair = nearid_cli.pair("refs/cat/0.jpg", "refs/cat/1.jpg", "hog")
    assert repr(pair) == f"<PairResult: refs/cat/0.jpg, refs/cat/1.jpg; hog {pair.similarity['hog']:.4f}>"
    assert "result=<ScoreResult" in repr(compared.methods[0])
    assert str(scored) == f"{scored}" == repr(scored)


def test_results_of_other_jobs_say_themselves_in_one_line(here: Path, gate: GateResult) -> None:
    from nearid_cli.evaluate.embed import embed_pictures

    embedded = embed_pictures([Path("refs")], nearid_cli.Options(metrics=["hog"]))
    assert isinstance(embedded, EmbedResult)
    assert re.fullmatch(r"<EmbedResult: 6 pictures; hog \[6, \d+\]>", repr(embedded))
    assert repr(gate) == "<GateResult: failed; 1 verdict: 1 failed>"
    assert issubclass(MtgResult, nearid_cli.results.base.OneLine)


@pytest.fixture
def gate(scored: ScoreResult) -> GateResult:
    from nearid_cli.gate.judge import judge
    from nearid_cli.gate.rules import load_rules

    Path("nearid.toml").write_text('[[gate.rules]]\nmetric = "hog"\nstatistic = "score"\nmin = 0.99\n')
    return judge(
        scored, None, load_rules(Path("nearid.toml"), Path.cwd()), run_name="run", baseline_name=None
    )


def test_names_cannot_break_the_line(scored: ScoreResult) -> None:
    first = replace(scored.subjects[0], subject="a\nb\x1b[31m")
    assert "\n" not in repr(nearid_cli.PairResult("a\nb", "\x1b[31m", (), {}))
    assert "\x1b" not in repr(nearid_cli.PairResult("a\nb", "\x1b[31m", (), {}))
    with pytest.raises(KeyError) as caught:
        Subjects([first])["x"]
    assert "\\n" in str(caught.value)


class Text(HTMLParser):
    """The text of a page and the tags in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags = "", set()
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


def test_a_notebook_shows_what_a_terminal_shows(
    nearid: Nearid, here: Path, scored: ScoreResult, compared: CompareResult
) -> None:
    terminal = nearid("score", "refs", "methods/ours", "-m", "hog,nearid-mini").out
    assert lines(Text(scored._repr_html_()).text) == lines(terminal)
    terminal = nearid("compare", "methods", "--refs", "refs", "-m", "hog,nearid-mini").out
    shown = Text(compared._repr_html_())
    assert lines(shown.text) == lines(terminal)
    assert "copier (copies references)" in shown.text
    assert shown.tags <= {"pre", "span"}
    assert (
        "nearid-mini"
        in Text(nearid_cli.pair("refs/cat/0.jpg", "refs/cup/0.jpg", "nearid-mini")._repr_html_()).text
    )


def test_a_notebook_never_crowns_a_copier(compared: CompareResult) -> None:
    rows = [line for line in lines(Text(compared._repr_html_()).text) if line.startswith(("ours", "copier"))]
    assert "*" in next(row for row in rows if row.startswith("ours"))
    assert not any("*" in row or "better" in row for row in rows if row.startswith("copier"))


def test_a_gate_is_shown_too(gate: GateResult) -> None:
    assert "failed" in Text(gate._repr_html_()).text


def test_names_are_text_in_a_notebook(scored: ScoreResult) -> None:
    bad = "<script>alert(1)</script>[bold]$x$&amp;"
    odd = replace(scored, subjects=Subjects([replace(scored.subjects[0], subject=bad), *scored.subjects[1:]]))
    page = odd._repr_html_()
    assert "<script" not in page
    assert Text(page).tags <= {"pre", "span"}
    assert "".join(Text(page).text.split()).count("alert(1)</script>[bold]$x$&amp;") > 0


def test_save_writes_what_the_command_writes(nearid: Nearid, here: Path) -> None:
    extensions = ("json", "csv", "parquet", "md", "tex", "html")
    Path("a").mkdir()
    Path("b").mkdir()
    outputs = [option for kind in extensions for option in ("-o", f"a/c.{kind}")]
    assert nearid("compare", "methods", "--refs", "refs", "-m", "hog,nearid-mini", *outputs).code == 0
    outputs = [option for kind in extensions for option in ("-o", f"a/s.{kind}")]
    assert nearid("score", "refs", "methods/ours", "-m", "hog,nearid-mini", *outputs).code == 0
    compared, scored = read_result(Path("a/c.json")), read_result(Path("a/s.json"))  # made at the same time
    written = compared.save(*(f"b/c.{kind}" for kind in extensions))
    assert written == tuple(Path(f"b/c.{kind}") for kind in extensions)
    scored.save(*(Path(f"b/s.{kind}") for kind in extensions))
    for file in sorted(Path("a").iterdir()):
        assert (Path("b") / file.name).read_bytes() == file.read_bytes(), file.name


def test_save_returns_where(scored: ScoreResult, gate: GateResult, here: Path) -> None:
    assert scored.save("run.json") == Path("run.json")
    assert gate.save("gate.xml", "gate.md") == (Path("gate.xml"), Path("gate.md"))
    assert Path("gate.xml").read_text().startswith("<?xml")


def test_save_checks_everything_first(scored: ScoreResult, here: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot write b\.doc: it has the extension \.doc; known: \.json, "):
        scored.save("a.json", "b.doc")
    with pytest.raises(InputError, match=r"the folder .*nowhere does not exist"):
        scored.save("a.json", "nowhere/b.json")
    with pytest.raises(UsageError, match="named twice"):
        scored.save("a.json", "./a.json")
    with pytest.raises(UsageError, match="expected a file to write to"):
        scored.save()
    assert not Path("a.json").exists()


def test_a_report_counts_the_pictures_that_were_in_memory(here: Path) -> None:
    loaded = []
    for path in sorted(Path("methods/ours/cat").iterdir()):
        with Image.open(path) as image:
            loaded.append(image.convert("RGB"))
    # A file at the place that the name of a picture in memory would have below the root, and another picture.
    decoy = Path("<generations>/<generations>/1")
    decoy.parent.mkdir(parents=True)
    decoy.write_bytes(Path("refs/cup/0.jpg").read_bytes())
    result = nearid_cli.score("refs/cat", loaded, "hog")
    page = result.save("report.html").read_text()
    assert "2 pictures, " in page
    assert "; 3 pictures from memory, not shown." in page
    assert page.count("data:image/webp") == 2
    both = nearid_cli.compare({"memory": loaded, "files": "methods/ours/cat"}, "refs/cat", "hog")
    page = both.save("report.html").read_text()
    assert "5 pictures, " in page
    assert "; 3 pictures from memory, not shown." in page
    files = nearid_cli.score("refs/cat", "methods/ours/cat", "hog").save("report.html").read_text()
    assert "from memory" not in files
