"""The licences of everything that nearid and its extras install: `python scripts/licences.py`.

Prints a line a package: name, version, licence as the package states it. Exit code 1 with a line for each package whose
licence is unknown or asks for more than to keep its notice, unless ALLOWED has it with the reason. Libraries inside
binary wheels count: what a package states is often of its own code only.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = ("test", "trackio", "release")
"""`test` asks for all others."""

PERMISSIVE = {
    *(
        "0BSD",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "BSD",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
    ),
    *(
        "CC0-1.0",
        "CNRI-Python",
        "HPND",
        "ISC",
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "PSF-2.0",
        "Python-2.0",
        "Unlicense",
    ),
    *("Zlib", "ZPL-2.1"),
}

NAMES = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
"""What packages write that do not use the names of SPDX."""

BUNDLED = {
    "libx265": "GPL-2.0-or-later",
    "libde265": "LGPL-3.0-or-later",
    "libheif": "LGPL-3.0-or-later",
    "libavcodec": "LGPL-2.1-or-later",
    "libavformat": "LGPL-2.1-or-later",
    "libavutil": "LGPL-2.1-or-later",
    "libswscale": "LGPL-2.1-or-later",
    "libswresample": "LGPL-2.1-or-later",
}
"""Libraries in binary wheels whose licence is not that of the package."""

_OWN_FILES = "covers its own files, which are used unchanged"
_NVIDIA = "comes with builds of torch for CUDA only; NVIDIA's terms"
ALLOWED = (
    ("certifi", "MPL-2.0", _OWN_FILES),
    ("fqdn", "MPL-2.0", f"{_OWN_FILES}; releases only"),
    ("hypothesis", "MPL-2.0", f"{_OWN_FILES}; tests only"),
    (
        "pyte",
        "GNU Lesser General Public License v3 (LGPLv3)",
        "a terminal in tests; nothing that ships imports it",
    ),
    ("pathspec", "MPL-2.0", f"{_OWN_FILES}; tests only"),
    ("tqdm", "MPL-2.0 AND MIT", _OWN_FILES),
    (
        "pillow-heif",
        "*GPL-*",
        "extra heif only; shared libraries; who passes the wheel on passes x265 on under GPL",
    ),
    (
        "opencv-python-headless",
        "LGPL-2.1-or-later",
        "FFmpeg, loaded as shared libraries; extras face and bench only",
    ),
    ("nvidia-*", "*", _NVIDIA),
    ("cuda-*", "*", _NVIDIA),
)
"""Package, licence (both with `*` for anything), and why it may be here nevertheless."""


@dataclass(frozen=True)
class Package:
    """An installed package: its name in canonical form, its licence, and licences of libraries inside it."""

    name: str
    version: str
    licence: str
    bundled: tuple[str, ...] = ()


def packages(root: str = "nearid-cli") -> list[Package]:
    """All that `root` with EXTRAS asks for and is installed, by name; without `root` itself."""
    found: dict[tuple[str, str], Distribution] = {}
    ahead = [(root, extra) for extra in ("", *EXTRAS)]
    while ahead:
        name, extra = ahead.pop()
        if (name, extra) in found:
            continue
        try:
            found[name, extra] = distribution(name)
        except PackageNotFoundError:  # of another platform, or an extra that is not here
            continue
        ahead += _asked(found[name, extra], extra)
    unique = {name: one for (name, _), one in found.items() if name != root}
    return [_package(name, one) for name, one in sorted(unique.items())]


def _asked(one: Distribution, extra: str) -> Iterator[tuple[str, str]]:
    for line in one.requires or ():
        required = Requirement(line)
        if required.marker is None or required.marker.evaluate({"extra": extra}):
            for further in ("", *required.extras):
                yield canonicalize_name(required.name), further


def _package(name: str, one: Distribution) -> Package:
    libraries = {
        str(file.name).split("-")[0].split(".")[0] for file in one.files or () if "libs/lib" in str(file)
    }
    bundled = sorted({BUNDLED[library] for library in libraries & set(BUNDLED)})
    return Package(name, one.version, stated(one), tuple(bundled))


def stated(one: Distribution) -> str:
    """The licence that a package states, in SPDX's words where it is known; empty for none."""
    if expression := one.metadata.get("License-Expression"):
        return expression
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in one.metadata.get_all("Classifier") or ()
        if line.startswith("License ::")
    ]
    if classifiers and classifiers != ["OSI Approved"]:
        return " AND ".join(NAMES.get(line, line) for line in classifiers)  # whether all or any is not said
    line = (one.metadata.get("License") or "").strip().partition("\n")[0]
    return NAMES.get(line, line)


def permissive(licence: str) -> bool:
    """Whether one may choose terms that ask for no more than to keep the notice.

    >>> permissive("GPL-3.0-only OR MIT"), permissive("MPL-2.0 AND MIT"), permissive("")
    (True, False, False)
    """
    choices = re.split(r"\s+OR\s+", licence)
    return any(set(re.split(r"\s+AND\s+", choice)) <= PERMISSIVE for choice in choices)


def refused(package: Package) -> list[str]:
    """A line for each licence of a package that is neither permissive nor allowed."""
    return [
        f"{package.name} {package.version}: {licence or 'no licence stated'}; "
        "take another package, or add it to ALLOWED with the reason"
        for licence in (package.licence, *package.bundled)
        if not permissive(licence)
        and not any(
            fnmatchcase(package.name, name) and fnmatchcase(licence, known) for name, known, _ in ALLOWED
        )
    ]


def main() -> int:
    """Print all, then what is refused."""
    found = packages()
    for package in found:
        inside = f" (inside: {', '.join(package.bundled)})" if package.bundled else ""
        print(f"{package.name} {package.version}: {package.licence or '-'}{inside}")
    lines = [line for package in found for line in refused(package)]
    print(*lines, sep="\n", end="\n" if lines else "", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
