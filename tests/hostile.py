"""Names made to do harm to what shows or reads them, and a result that is full of them."""

from __future__ import annotations

from nearid_cli.results import ScoreResult
from nearid_cli.text import storable
from tests.comparing import scored

HOSTILE = {
    "workflow command": "::stop-commands::x",
    "workflow command after spaces": "  ::error file=a.py::b",
    "workflow command of the older form": "x ##[add-mask]y",
    "Azure command": "##vso[task.setvariable variable=a]b",
    "TeamCity command": "##teamcity[buildStatus status='SUCCESS']",
    "colours": "\x1b[31mred\x1b[0m",
    "title of the window": "\x1b]0;owned\x07",
    "cursor": "a\x1b[2J\x1b[1;1Hb",
    "C1 controls": "a\x9b31mb",
    "carriage return": "good\rbad",
    "backspaces": "abc\b\b\bxyz",
    "new lines": "a\n\n# b\u2028c\u0085d",
    "right to left": "gnp.\u202egpj.exe\u2066x",
    "no width": "a\u200bb\u200dc\ufeffd\u2060e",
    "tags": "a\U000e0041\U000e0042",
    "NUL": "a\0b",
    "lone surrogate": "a\ud800b",
    "byte that is not UTF-8": "a\udcffb",
    "not a character": "a\ufffeb\uffff",
    "formula": "=1+1",
    "formula by DDE": "=cmd|'/c calc'!A0",
    "plus": "+1",
    "minus": "-1+2",
    "at": "@SUM(A1)",
    "wide formula": "\uff1d1+1",
    "formula after a semicolon": "a;=HYPERLINK(0)",
    "formula after a tab": "a\t=1",
    "markup": "<script>document.title='owned'</script>",
    "attribute": "\" onmouseover=\"document.title='owned'",
    "entity": "&lt;b&gt;&#60;",
    "comment": "--><!-- ]]> */",
    "template": "{{ 7 * 7 }} ${7*7} {% raw %}",
    "Markdown": "![x](http://evil.example/a.png) [y](javascript:alert(1)) **b** `c` | d",
    "bare address": "www.evil.example and https://evil.example/a?b",
    "mail": "a@evil.example @team owner/repo#1 GH-2",
    "rich": "[red]x[/red][link=http://evil.example]y[/link]",
    "TeX": r"\input{/etc/passwd} \write18{id} $x$ 50% #1 & ~ ^ _ {",
    "YAML": "a: !!python/object/apply:os.system [id]",
    "quotes": "'a' \"b\" `c` \\",
    "long": "x" * 300,
}
NAMES = list(HOSTILE.values())


def run(turn: int) -> ScoreResult:
    """A subject of each name, whose generations have this and the next name as prompt, label and file."""
    names = [*NAMES[turn:], *NAMES[:turn]]
    beside = dict(zip(NAMES, names, strict=True))
    return scored(
        {name: [0.5 + place / 200, 0.4] for place, name in enumerate(NAMES)},
        image=lambda subject, i: {
            "path": f"{storable(subject)}/{i}.png",
            "prompt": (subject, beside[subject])[i],
            "labels": {"note": subject},
        },
        unmatched=NAMES,
    )
