"""The worked example of docs/reference/numbers.md is executed."""

import doctest
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "numbers.md"


def test_the_worked_example_is_right():
    failures, examples = doctest.testfile(str(DOCUMENT), module_relative=False)
    assert examples >= 9
    assert failures == 0
