"""MTG: edits of a part of an object."""
