"""The formats of files: which there are, what they hold, and which one an extension means.

A module here defines one or several; nothing else needs to know of it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from nearid_cli.errors import UsageError
from nearid_cli.remote.stores import named
from nearid_cli.reports.formats.base import FORMATS, FileFormat
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.reports.blocks import Document

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")


def known(kind: str, judged: bool = False) -> tuple[str, ...]:
    """The extensions that a document may be written with.

    Args:
        kind: of the document, such as `score`.
        judged: whether it has the verdicts of a gate.

    >>> ".xml" in known("score"), ".xml" in known("score", judged=True), ".xml" in known("gate")
    (False, True, True)
    """
    kinds = {kind, "gate"} if judged else {kind}
    found = sorted(FORMATS.values(), key=lambda one: one.place)
    return tuple(one.extension for one in found if kinds.intersection(one.holds))


def listed(kind: str, judged: str = "") -> str:
    """The same in words, for help; those that need verdicts of a gate after the words `judged`.

    >>> listed("score", judged="(with --gate)")
    '.json, .csv, ... (with --gate) .xml...'
    """
    always = known(kind)
    found = [
        one if one in always else f"{judged} {one}"
        for one in (known(kind, judged=True) if judged else always)
    ]
    return f"{', '.join(found[:-1])} or {found[-1]}"


def of_path(path: Path, extensions: tuple[str, ...]) -> FileFormat | None:
    """The format of a file by its extension; None for one that is no format of ours.

    Raises:
        UsageError: the extension is not one of these.
    """
    extension = path.suffix.lower()
    found = FORMATS.get(extension)
    if extension in extensions:
        return found
    if found is not None and found.elsewhere and len(extensions) > 1:
        raise UsageError(f"cannot write {named(path)}: {found.elsewhere}")
    has = f"the extension {printable(extension)}" if extension else "no extension"
    raise UsageError(f"cannot write {named(path)}: it has {has}; known: {', '.join(extensions)}")


def render(document: Document, path: Path) -> bytes:
    """The content of a file in the format of its extension.

    Raises:
        UsageError: no format with this extension can hold the document.
    """
    found = of_path(path, known(document.kind, document.judged is not None))
    data = found.render(document) if found else b""
    return data if isinstance(data, bytes) else data.encode()
