"""Markdown read back by a renderer of its own ecosystem: what GitHub would show of it."""

from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from nearid_cli.errors import UsageError
from nearid_cli.reports.files import write
from nearid_cli.results import Image, Skipped
from tests.printing import to_markdown

AWKWARD = [
    "<script>alert(1)</script>",
    "a|b",
    "a\\|b",
    "`c`",
    "*d* _e_",
    "[f](g)",
    "# h",
    "- i",
    "1. j",
    "k\nl",
    "&lt;",
    "~~m~~",
    "</details>",
    "<!-- n",
    "@octocat",
    "o#12",
]
SHOWN = [*AWKWARD[:9], r"k\nl", *AWKWARD[10:14], "@\u200boctocat", "o#\u200b12"]
"""Nobody is called and nothing is linked; else names are shown as they are."""
TAGS = {
    *("h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "strong", "em"),
    *("details", "summary", "ins"),
}


class Page(HTMLParser):
    """The tables of a page as rows of cells, its list entries and summaries, and every tag."""

    def __init__(self, markdown):
        super().__init__()
        self.tags, self.tables, self.entries, self.summaries, self.open = set(), [], [], [], []
        renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        self.html = renderer.render(markdown)
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag, attrs):
        assert not [name for name, _ in attrs if name != "style"]
        self.tags.add(tag)
        self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        for kind, texts in self._places(tag):
            if tag == kind:
                texts.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        for kind, texts in self._places(*self.open):
            if kind in self.open:
                texts[-1] += data

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def _places(self, *tags):
        places = [("li", self.entries), ("summary", self.summaries)]
        if self.tables and self.tables[-1]:
            places += [("td", self.tables[-1][-1]), ("th", self.tables[-1][-1])]
        return places

    def rows_of(self, header):
        """The rows of the table whose first title this is, without the titles."""
        (table,) = [table for table in self.tables if table[0][0] == header]
        return table[1:]


def page(markdown):
    """The rendered document, which holds only what it should and is whole."""
    found = Page(markdown)
    assert found.tags <= TAGS
    assert found.open == []
    for table in found.tables:
        assert len({len(row) for row in table}) == 1
    assert len(markdown) < 65_536
    assert "-0.000" not in markdown
    return found


def test_names_are_shown_as_they_are(make):
    images = tuple(Image(name, name, name, {"a|b": 0.5}) for name in AWKWARD)
    skipped = tuple(Skipped(name, name) for name in AWKWARD)
    result = make(
        dict.fromkeys(AWKWARD, 0.5),
        metrics=("a|b",),
        images=images,
        skipped=skipped,
        unmatched=tuple(AWKWARD),
    )
    found = page(to_markdown(result))
    assert [row[0] for row in found.rows_of("subject")] == SHOWN
    n = len(AWKWARD)
    copied, skipped, unmatched = (entry.partition(": ") for entry in found.entries[:3])
    assert copied[0] == f"{n} copied references among the generations, scored too high"
    assert copied[2] == ", ".join(f"{name} copies {name}" for name in SHOWN)
    assert skipped[2] == ", ".join(f"{name} ({name})" for name in SHOWN)
    assert unmatched[2] == ", ".join(SHOWN)
    assert found.html.count("<ul>") == 2  # nothing nested: findings, what made it


def test_names_in_a_comparison_are_shown_as_they_are(compare):
    for i in range(0, len(AWKWARD), 4):
        names, shown = AWKWARD[i : i + 4], SHOWN[i : i + 4]
        found = page(to_markdown(compare(methods=names, subjects=AWKWARD, metrics=("nearid", names[0]))))
        expected = [*shown[:3], f"{shown[3]} (copies references)"]
        assert [row[0] for row in found.rows_of("method")] == expected
        by_subject = found.tables[-1]
        assert by_subject[0][1:] == expected
        assert [row[0] for row in by_subject[1:]] == SHOWN
        assert found.summaries[2] == f"Scores by subject: {names[0]}".replace("\n", r"\n")


def test_the_aggregate_comes_first(result):
    found = page(to_markdown(result))
    assert found.tables[0] == [
        ["metric", "score", "floor", "ceiling", "retention", "identification", "copies"],
        *(
            [metric, f"{score} [0.700, 0.900]", "0.400", "0.950", "0.800", "1.000", "1"]
            for metric, score in (("nearid", "0.831"), ("clip-i", "0.731"), ("dino", "0.631"))
        ),
    ]
    assert found.summaries == ["Scores by subject", "What made it"]
    assert (
        found.html.index("</table>")
        < found.html.index("cat/b.png copies cat/1.jpg")
        < found.html.index("<details>")
    )


def test_numbers_with_distractors_are_shown(result, replace):
    aggregate = dict(result.aggregate)
    aggregate["dino"] = replace(aggregate["dino"], margin=-0.0001, positive_margins=0.5, ssr=0.25, pa=0.75)
    aggregate["dino"] = replace(aggregate["dino"], all_pairs_ssr=0.5, all_pairs_pa=0.875)
    inputs = replace(result.inputs, distractors="lookalikes", distractor_images=12, pairing="by name")
    found = page(to_markdown(replace(result, aggregate=aggregate, inputs=inputs)))
    assert found.tables[1] == [
        ["against distractors", "margin", "positive margins", "SSR", "PA", "all pairs SSR", "all pairs PA"],
        *([name, "-", "-", "-", "-", "-", "-"] for name in ("nearid", "clip-i")),
        ["dino", "0.000", "0.500", "0.250", "0.750", "0.500", "0.875"],
    ]
    assert "distractors: lookalikes (12 pictures), paired with references by name" in found.entries
    assert "all pairs is not the paper's: every distractor against every reference" in found.html


def test_changes_since_a_baseline(make):
    before = make({"cat": 0.9, "mug": 0.5, "gone": 0.1}, metrics=("nearid", "dino"))
    after = make({"cat": 0.8, "mug": 0.52, "new": 0.3, "same": 0.5}, metrics=("nearid", "dino"))
    found = page(to_markdown(after, baseline=before))
    assert [row[-1] for row in found.tables[0]] == ["change", "▼ -0.040", "▼ -0.040"]
    changes = {row[0]: row[-1] for row in found.rows_of("subject")}
    assert changes == {"cat": "▼ -0.100", "mug": "▲ +0.020", "new": "-", "same": "-"}
    assert "The change is the mean over the 2 subjects" in found.html
    nearly = make({"cat": 0.89996, "mug": 0.50004, "gone": 0.1})
    assert {row[-1] for row in page(to_markdown(nearly, baseline=before)).rows_of("subject")} == {"= 0.000"}


def test_no_change_where_the_metrics_differ(make, replace):
    after = make({"cat": 0.8})
    before = make({"cat": 0.9}, metrics=("nearid", "clip-i"))
    nearid, clip = before.metrics
    before = replace(before, metrics=(replace(nearid, fingerprint="0"), replace(clip, protocol="other")))
    found = page(to_markdown(after, baseline=before))
    assert [row[-1] for row in found.tables[0][1:]] == ["-", "-", "-"]
    assert "No change for nearid, clip-i, dino: the baseline lacks it" in found.html
    found = page(to_markdown(after, baseline=make({"dog": 0.9})))
    assert [row[-1] for row in found.tables[0][1:]] == ["-", "-", "-"]
    assert "No change for" not in found.html


def test_what_made_it_is_said(result):
    found = page(to_markdown(result, sort="nearid"))
    assert [row[:6] for row in found.rows_of("subject")] == [
        ["red mug", "4", "600", "0", "0.750 [0.730, 0.770]", "0.650 [0.630, 0.670]"],
        ["cat", "4", "600", "1", "0.912 [0.892, 0.932]", "0.812 [0.792, 0.832]"],
    ]
    assert found.entries == [
        "1 copied reference among the generations, scored too high: cat/b.png copies cat/1.jpg",
        "1 picture skipped: cat/broken.jpg (truncated)",
        "1 unmatched: dog: 3 generations, no references",
        "tool: nearid-cli 0.1.0, 2026-04-02T10:00:00+00:00",
        "references: refs (8 pictures)",
        "generations: gens (1,200 pictures)",
        "layout: folders, 2 subjects",
        *(
            f"metric {name}: checkpoint org/{name}; revision abc123; fingerprint ffffffff; readout pooled; "
            "dtype float32; preprocessing 384 px; protocol all pairs"
            for name in ("nearid", "clip-i", "dino")
        ),
    ]


def test_a_comparison(compared):
    markdown = to_markdown(compared)
    found = page(markdown)
    numbers = ("0.400", "0.950", "0.800", "1.000")
    assert found.tables[0] == [
        [
            *(
                "method",
                "subjects",
                "gens",
                "copies",
                "nearid",
                "dino",
                "floor by nearid",
                "ceiling by nearid",
            ),
            *("retention by nearid", "identification by nearid"),
        ],
        ["lora", "2", "4", "0", "0.900 [0.700, 0.900]", "0.800 [0.700, 0.900]", *numbers],
        ["dreambooth", "2", "4", "0", "0.800 [0.700, 0.900] ▼", "0.700 [0.700, 0.900] ▼", *numbers],
        [
            "copy/cat (copies references)",
            "2",
            "4",
            "4",
            "0.700 [0.700, 0.900]",
            "0.600 [0.700, 0.900]",
            *numbers,
        ],
    ]
    assert markdown.count("**0.900 [0.700, 0.900]**") == 1  # the best
    assert markdown.count("<ins>0.800 [0.700, 0.900]</ins> ▼") == 1  # the second
    assert found.tables[1] == [
        ["by nearid", "difference", "verdict", "p", "p (adjusted)", "wins/ties/losses", "detectable"],
        ["dreambooth", "-0.100 [-0.110, -0.090] ▼", "worse", "0.020", "0.040", "1/0/1", "0.030"],
        ["copy/cat", "-0.200 [-0.210, -0.190]", "no difference shown", "0.100", "0.200", "1/0/1", "0.030"],
    ]
    assert found.tables[2][0][0] == "by dino"
    assert found.tables[3] == [
        ["metrics", "3 methods Kendall", "Spearman", "3 images Kendall", "Spearman"],
        ["nearid, dino", "0.500", "-", "0.500", "-"],
    ]
    assert found.tables[4] == [
        ["most apart (0 lowest, 1 highest)", "rank by dino", "rank by nearid", "difference"],
        ["lora as a whole", "1.000", "0.000", "+1.000"],
        ["lora: cat/0.png", "0.100", "0.900", "-0.800"],
    ]
    assert found.tables[5] == [
        ["subject", "lora", "dreambooth", "copy/cat (copies references)"],
        ["cat", "0.900", "0.800", "0.700"],
        ["red mug", "0.900", "0.800", "0.700"],
    ]
    assert found.summaries == [
        "Where the metrics disagree most: dino (2)",
        "Scores by subject: nearid",
        "Scores by subject: dino",
        "What made it",
    ]
    assert found.entries[:2] == [
        "dreambooth: lacks 1 subject, so its own scores are over fewer: dog",
        "copy/cat: 4 of 4 generations copy a reference, which scores high without skill, so it is not ranked",
    ]
    assert "baseline: lora, the best by the first metric" in found.entries
    assert (
        "method lora: references: refs (8 pictures); generations: gens (1,200 pictures); layout: folders, 2 subjects"
    ) in found.entries


def test_a_comparison_of_few_things(compared, replace):
    alone = replace(compared, methods=compared.methods[:1], comparisons=(), agreements=(), disagreements=())
    found = page(to_markdown(alone))
    assert "real?" not in found.html
    assert "agree?" not in found.html
    nothing = replace(
        compared.comparisons[0],
        **dict.fromkeys(("delta", "ci95", "p", "p_holm", "p_adjusted", "detectable")),
        subjects=0,
        verdict="no subject in common",
    )
    found = page(to_markdown(replace(compared, comparisons=(nothing,))))
    assert found.tables[1][1][1:] == ["-", "no subject in common", "-", "-", "1/0/1", "-"]


def test_margins_of_methods_are_shown(compared, replace):
    first, *others = compared.methods
    aggregate = {m: replace(scores, ssr=0.25) for m, scores in first.result.aggregate.items()}
    first = replace(first, result=replace(first.result, aggregate=aggregate))
    found = page(to_markdown(replace(compared, methods=(first, *others))))
    assert [row[-1] for row in found.tables[0]] == ["SSR by nearid", "0.250", "-", "-"]


def test_a_method_that_is_not_ranked_has_no_arrow(compared, replace):
    methods = tuple(replace(m, ranks=dict.fromkeys(m.ranks)) for m in compared.methods)
    found = page(to_markdown(replace(compared, methods=methods)))
    assert not any("▼" in cell or "▲" in cell for row in found.tables[0] for cell in row)


def test_a_subject_that_a_method_lacks(compared, replace):
    first, second, third = compared.methods
    second = replace(second, result=replace(second.result, subjects=second.result.subjects[:1]))
    found = page(to_markdown(replace(compared, methods=(first, second, third))))
    assert found.tables[-1][2] == ["red mug", "0.800", "-", "0.600"]


def test_order_of_methods(compared, replace):
    found = page(to_markdown(replace(compared, methods=compared.methods[::-1]), sort="dino"))
    assert [row[0] for row in found.rows_of("method")] == [
        "lora",
        "dreambooth",
        "copy/cat (copies references)",
    ]
    with pytest.raises(UsageError, match="cannot sort by 'subject'"):
        to_markdown(compared, sort="subject")


def test_a_comment_is_never_too_long_for_github(make):
    long = make({f"subject {i} {'*' * 40}": 0.5 for i in range(5000)}, images=())
    markdown = to_markdown(long, baseline=long)
    found = page(markdown)
    shown = found.rows_of("subject")
    assert shown[0][0].startswith("subject 0 ")
    assert f"{5000 - len(shown):,} more subjects left out here; the JSON has them all." in markdown
    assert len(markdown) > 64_000  # no more is cut than must be
    assert [row[0] for row in found.tables[0]] == ["metric", "nearid", "clip-i", "dino"]
    assert found.entries[-2].startswith("metric dino:")  # what made it is still there


def test_long_findings_are_cut_and_say_so(make):
    unmatched = tuple(f"{i} {'|' * 100}" for i in range(3000))
    images = tuple(
        Image(f"{i}{'&' * 200}", "cat", "1.jpg", dict.fromkeys(("nearid",), 1.0)) for i in range(3000)
    )
    result = make({"cat": 0.5}, metrics=("nearid",), unmatched=unmatched, images=images)
    markdown = to_markdown(result)
    found = page(markdown)
    assert "- 3,000 unmatched: 0 " in markdown
    assert markdown.count(" and 2,980 more\n") == 2
    assert len(found.rows_of("subject")) == 1


def test_a_long_comparison(compare):
    compared = compare(
        methods=[f"method {i}" for i in range(40)], subjects=[f"subject {'<' * 50} {i}" for i in range(300)]
    )
    markdown = to_markdown(compared)
    found = page(markdown)
    assert len(found.rows_of("method")) == 40
    assert "more subjects left out here" in markdown
    assert found.summaries[-1] == "What made it"


def test_the_file_holds_it(result, make, tmp_path):
    write(result, tmp_path / "r.md", sort="dino", baseline=result)
    assert (tmp_path / "r.md").read_text("utf-8") == to_markdown(result, "dino", result)


def test_verdicts_come_first_and_leave_room(make, compared, gate):
    result = make({f"subject {i}": 0.5 for i in range(400)})
    long = gate(tuple(f"subject {i} {'<' * 200}" for i in range(400)))
    markdown = to_markdown(result, baseline=result, gate=long)
    found = page(markdown)
    assert markdown.index("nearid gate failed") < markdown.index("# nearid score")
    assert "more failures left out here" in markdown[: markdown.index("# nearid score")]
    assert len(found.rows_of("subject")) > 100
    assert "nearid gate failed" in page(to_markdown(compared, gate=gate(("cat",)))).html
