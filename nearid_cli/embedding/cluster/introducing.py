"""What a node has to have in common with this machine, so that its numbers are the same: the code, and what it uses."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

from nearid_cli.text import count, printable

_PACKAGES = (
    "torch", "transformers", "numpy", "pillow", "safetensors", "scikit-image", "blake3", "cykooz-resizer",
    "pillow-heif", "opencv-python-headless",
)  # fmt: skip


def introduction(modules: Sequence[str] = ()) -> Callable[[], dict[str, str]]:
    """What a process runs to say what it has: a function that travels whole, since a node may lack nearid.

    Args:
        modules: others whose code decides about numbers, by the names of their packages.
    """
    packages = _PACKAGES

    def code_of(module: str) -> str | None:
        import hashlib
        import importlib.util
        from pathlib import Path

        found = importlib.util.find_spec(module)
        if found is None:
            return None
        code = hashlib.sha256()
        for folder in found.submodule_search_locations or ():
            for file in sorted(Path(folder).rglob("*.py")):
                code.update(f"{file.relative_to(folder)}\0{file.stat().st_size}\0".encode())
                code.update(file.read_bytes())
        if not found.submodule_search_locations and found.has_location and found.origin:
            code.update(Path(found.origin).read_bytes())
        return f"(code {code.hexdigest()[:12]})"

    def introduce() -> dict[str, str]:
        import importlib.metadata

        has = {}
        for package in packages:
            try:
                has[package] = importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                has[package] = "none"
        for module in modules:
            has[f"the module {module}"] = code_of(module) or "none"
        code = code_of("nearid_cli")
        if code is None:
            return {**has, "nearid-cli": "none"}
        import nearid_cli

        return {**has, "nearid-cli": f"{nearid_cli.__version__} {code}"}

    return introduce


@functools.cache
def own_introduction(modules: tuple[str, ...] = ()) -> Mapping[str, str]:
    """What this process has."""
    return introduction(modules)()


def difference(node: str, there: Mapping[str, str], here: Mapping[str, str]) -> str | None:
    """How a node differs from this machine, in a line; None where it does not.

    >>> difference("b", {"torch": "2.9"}, {"torch": "2.13"})
    'node b has torch 2.9, this machine 2.13'
    """
    others = [name for name in here if there.get(name) != here[name]]
    if not others:
        return None
    name = "nearid-cli" if "nearid-cli" in others else others[0]
    more = f" (and {count(len(others) - 1, 'more difference')})" if len(others) > 1 else ""
    return f"node {printable(node)} has {name} {printable(there.get(name, 'none'))}, this machine {here[name]}{more}"
