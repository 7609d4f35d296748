"""Files by subject; one thread, since tiny models are slower with more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.looping import Paths, by_subject


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def refs(data: Path) -> Paths:
    return by_subject(data / "refs")


@pytest.fixture
def gens(data: Path) -> Paths:
    return by_subject(data / "gens")
