"""Naming a torchvision that does not go with torch. Nearid needs none, but transformers imports one that is there."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import re
import warnings

from nearid_cli.text import printable


def torchvision_problem() -> str | None:
    """Why the installed torchvision cannot be imported, with the remedy; None if it can, or if there is none."""
    try:
        if importlib.util.find_spec("torchvision") is None:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module("torchvision")
    except Exception as error:  # whatever a package says that was built for another torch
        needs = _torch_it_needs()
        return (
            f"torchvision {_version('torchvision')} does not go with torch {_version('torch')}"
            f"{f', it asks for torch {needs}' if needs else ''} "
            f"({printable(' '.join(str(error).split())[:120])}), and transformers cannot be imported beside it: "
            "pip install --upgrade torch torchvision, or pip uninstall torchvision, which nearid does without"
        )
    return None


def _torch_it_needs() -> str | None:
    """The version of torch that the installed torchvision asks for."""
    try:
        requirements = importlib.metadata.requires("torchvision") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = (re.match(r"torch\s*\(?([<>=!~][^);]*)", requirement) for requirement in requirements)
    return next((match[1].strip() for match in found if match), None)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"
