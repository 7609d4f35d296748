"""Fixtures of the tests of `nearid view`."""

from tests.viewing import run_json, view

__all__ = ["run_json", "view"]
