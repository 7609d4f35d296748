from collections.abc import Callable, Iterable
from pathlib import Path

import pytest


@pytest.fixture
def plant(tmp_path: Path) -> Callable[..., Path]:
    """Make empty files below tmp_path; what finds pictures never opens them."""

    def make(folder: str, names: Iterable[str] | str) -> Path:
        root = tmp_path / folder
        for name in names.split() if isinstance(names, str) else names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        root.mkdir(parents=True, exist_ok=True)
        return root

    return make
