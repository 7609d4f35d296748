"""Licences of dependencies: what is installed here passes, and what must not be here does not."""

from __future__ import annotations

from importlib.metadata import Distribution
from pathlib import Path

import pytest

from scripts.licences import ALLOWED, Package, main, packages, permissive, refused, stated


def test_everything_that_is_installed_may_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0, capsys.readouterr().err
    lines = capsys.readouterr().out.splitlines()
    named = {line.split()[0] for line in lines}
    assert {
        "torch",
        "pillow",
        "typer",
        "click",
        "tqdm",
        "pytest",
    } <= named  # direct, indirect, and of an extra
    assert "nearid-cli" not in named


@pytest.mark.parametrize(
    ("package", "refuses"),
    [
        (Package("some", "1", "MIT"), 0),
        (Package("some", "1", "GPL-3.0-only OR MIT"), 0),
        (Package("some", "1", "MIT AND GPL-3.0-only"), 1),
        (Package("some", "1", "AGPL-3.0-or-later"), 1),
        (Package("some", "1", "Commercial"), 1),
        (Package("some", "1", ""), 1),
        (Package("some", "1", "MIT", ("GPL-2.0-or-later",)), 1),
        (Package("certifi", "1", "MPL-2.0"), 0),
        (Package("certifi", "1", "GPL-3.0-only"), 1),
        (Package("pillow-heif", "1", "BSD-3-Clause", ("GPL-2.0-or-later", "LGPL-3.0-or-later")), 0),
        (Package("pillow-heif", "1", "GPL-2.0-or-later"), 0),
        (Package("nvidia-cublas", "1", "LicenseRef-NVIDIA-Proprietary"), 0),
    ],
)
def test_what_is_refused(package: Package, refuses: int) -> None:
    lines = refused(package)
    assert len(lines) == refuses
    assert all(line.startswith(f"{package.name} {package.version}: ") for line in lines)


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ("License-Expression: MIT\nLicense: GPL", "MIT"),
        ("Classifier: License :: OSI Approved :: MIT License", "MIT"),
        ("Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)", None),
        ("License: 3-Clause BSD License", "BSD-3-Clause"),
        ("License: see the file\n        of many lines", "see the file"),
        ("Summary: nothing said", ""),
    ],
)
def test_what_a_package_states(tmp_path: Path, metadata: str, licence: str | None) -> None:
    folder = tmp_path / "some-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: some\nVersion: 1\n{metadata}\n")
    found = stated(Distribution.at(folder))
    assert found == licence if licence is not None else not permissive(found)


def test_each_exception_has_its_reason_and_is_needed() -> None:
    installed = packages()
    for name, licence, reason in ALLOWED:
        assert len(reason) > 10
        assert not permissive(licence), name
        if "*" not in name and "releases only" not in reason:  # which need not be installed here
            assert any(package.name == name for package in installed), name
