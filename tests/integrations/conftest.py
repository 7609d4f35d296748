"""Files by subject."""

from tests.looping import gens, refs

__all__ = ["gens", "refs"]
