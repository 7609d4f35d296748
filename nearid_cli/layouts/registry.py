"""All layouts in their order: whatever lists them, asks for one by its name or asks each of them does so here."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from nearid_cli.errors import UsageError
from nearid_cli.layouts import kinds
from nearid_cli.layouts.layout import Layout
from nearid_cli.text import unknown


class _Auto(Layout):
    name = "auto"
    place = 0
    references_are = "recognised"
    recognises = True

    def holds_both(self, root: Path) -> bool:
        return any(one.holds_both(root) for one in LAYOUTS if one is not self)


AUTO = _Auto()
_MODULES = [import_module(f"{kinds.__name__}.{one.name}") for one in iter_modules(kinds.__path__)]
_FOUND = {one for module in _MODULES for one in vars(module).values() if isinstance(one, Layout)}
LAYOUTS = tuple(sorted({AUTO, *_FOUND}, key=lambda one: one.place))
"""Those that `--layout` takes."""
NAMES = tuple(one.name for one in LAYOUTS)


def layout_named(name: str) -> Layout:
    """The layout of a name.

    Raises:
        UsageError: there is none.
    """
    for layout in LAYOUTS:
        if layout.name == name:
            return layout
    raise UsageError(unknown("layout", name, NAMES))
