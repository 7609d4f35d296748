"""What is wrong with a call is said in one line, which names the parameter."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import pytest

import nearid_cli
from nearid_cli.errors import UnknownParameterError, UsageError
from nearid_cli.options import OptionArguments


def test_every_option_is_a_keyword_of_the_same_type() -> None:
    options = typing.get_type_hints(nearid_cli.Options)
    del options["metrics"]
    assert typing.get_type_hints(OptionArguments) == options


@pytest.mark.parametrize(
    ("function", "keyword", "meant"),
    [
        (nearid_cli.score, "metric", "metrics"),
        (nearid_cli.score, "reference", "references"),
        (nearid_cli.score, "skipbad", "skip_bad"),
        (nearid_cli.compare, "refs", None),
        (nearid_cli.compare, "base_line", "baseline"),
        (nearid_cli.pair, "batchsize", "batch_size"),
    ],
)
def test_an_unknown_keyword_is_answered_with_the_nearest(function, keyword: str, meant: str | None) -> None:
    with pytest.raises(UnknownParameterError) as caught:
        function("a", "b", **{keyword: "dino"})
    answer = f"did you mean {meant}?" if meant else "known: "
    assert str(caught.value).startswith(f'unknown parameter "{keyword}": {answer}')
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, nearid_cli.NearIDError)


def test_all_unknown_keywords_are_said_before_anything_is_read() -> None:
    with pytest.raises(TypeError, match=r'unknown parameter "metric": .*\n  unknown parameter "devise": '):
        nearid_cli.score("nowhere", metric="dino", devise="cpu")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": None}, "metrics: expected a name or a list of names, found None"),
        ({"metrics": ["hog", 3]}, "metrics: expected a name or a list of names, found 3"),
        ({"layout": Path("flat")}, "layout: expected a text, found PosixPath"),
        ({"batch_size": "auto"}, "batch_size: expected a whole number or None, found 'auto'"),
        ({"batch_size": 0}, "batch_size: expected a number of 1 or more, found 0"),
        ({"workers": True}, "workers: expected a whole number or None, found True"),
        ({"device": None}, "device: expected a text, found None"),
        ({"use_cache": "no"}, "use_cache: expected True or False, found 'no'"),
        ({"cache": 3}, "cache: expected a text or a path or None, found 3"),
        ({"configured": []}, r"configured: expected a dict, found \[\]"),
        ({"strip_token": 3}, "strip_token: expected a text or a list of texts, found 3"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(arguments, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        nearid_cli.score("refs", "gens", **arguments)


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        (3, "methods: expected a path, paths, or a dict of methods by name, found 3"),
        (["gens", ""], "methods: expected a path, paths, or a dict of methods by name, found ''"),
        ([3], "methods: expected a path, paths, or a dict of methods by name, found 3"),
        ({3: "gens"}, "methods: expected names of methods as keys, found 3"),
        ({"ours": [None]}, r'methods\["ours"\]\[0\]: expected a path, a PIL image or'),
        ({"ours": None}, r'methods\["ours"\]: expected pictures, found None'),
    ],
)
def test_methods_that_are_none_are_named(methods, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        nearid_cli.compare(methods, "refs", "hog")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"face_index": -1}, "face_index: expected a number of 0 or more, found -1"),
        ({"judge_max_failures": 2}, "judge_max_failures: expected a number of 0 to 1, found 2"),
        ({"judge_timeout": "5"}, "judge_timeout: expected a number, found '5'"),
        ({"judge_parallel": 0}, "judge_parallel: expected a number of 1 to 256, found 0"),
        ({"workers": 0}, "workers: expected a number of 1 or more, found 0"),
    ],
)
def test_numbers_and_words_keep_within_what_the_option_takes(options, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        nearid_cli.pair("a.png", "b.png", "hog", **options)


def test_bounds_themselves_are_taken(save):
    a = save("a.png")
    found = nearid_cli.pair(a, a, "hog", face_index=0, judge_max_failures=1, judge_timeout=5)
    assert found.similarity["hog"] == pytest.approx(1)
