"""A folder in which every command of the documentation runs, and no network."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from nearid_cli.demo import write_demo
from nearid_cli.encoders.hub import fetching
from nearid_cli.encoders.hub.cache import cached_snapshot
from nearid_cli.encoders.registry import REGISTRY, SHIPPED
from nearid_cli.remote.stores import file_system
from tests.remote.s3_server import s3_server
from tests.tiny import BUILDERS, hub_cache

ROOT = Path(__file__).parents[2]
ARCHITECTURES = {
    "Aleksandar/nearid-siglip2": "nearid",
    "openai/clip-vit-large-patch14": "clip-with-text",
    "openai/clip-vit-base-patch32": "clip-with-text",
    "facebook/dinov2-large": "dinov2",
    "facebook/dino-vits16": "vit",
    "google/siglip2-so400m-patch14-384": "siglip",
    "org/model": "clip",
}


@pytest.fixture(scope="session")
def _hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hub cache with a tiny checkpoint under the name of every big one."""
    home = tmp_path_factory.mktemp("hub")
    read = {metric.checkpoint for metric in REGISTRY.values() if metric.text or not metric.plugin}
    assert read - {"", SHIPPED} <= set(ARCHITECTURES)
    for seed, (repository, architecture) in enumerate(ARCHITECTURES.items()):
        checkpoint = BUILDERS[architecture](home / "made" / repository, seed)
        hub_cache(home / "hf" / "hub", repository, checkpoint, commit=f"{seed:040x}")
    return home


@pytest.fixture(scope="session")
def _pictures(tmp_path_factory: pytest.TempPathFactory, photographs: dict[str, Image.Image]) -> Path:
    """The demo's data set as `demo/`, and crops of photographs under the names that the documentation uses."""
    folder = tmp_path_factory.mktemp("pictures")
    write_demo(folder / "demo")
    for subject, photograph in (("cat", "chelsea"), ("coffee", "coffee"), ("ship", "rocket")):
        for index in range(5):
            _crop(photographs[photograph], 8 * index, folder / "refs" / subject / f"{index + 1:02d}.jpg")
            _crop(photographs[photograph], 8 * index + 4, folder / "gens" / subject / f"{index + 1:02d}.png")
    for method, photograph in (("ours", "chelsea"), ("theirs", "coffee")):
        for subject in ("cat", "coffee"):
            for index in range(3):
                _crop(
                    photographs[photograph], 5 * index, folder / "methods" / method / subject / f"{index}.png"
                )
    shutil.copytree(folder / "refs", folder / "methods" / "refs")
    shutil.copytree(folder / "methods" / "theirs" / "cat", folder / "alike" / "cat")
    (folder / "lpips").mkdir()
    for pictures, table in (
        ("gens", "lpips.csv"),
        ("methods/ours", "lpips/ours.csv"),
        ("methods/theirs", "lpips/theirs.csv"),
    ):
        names = sorted(
            path.relative_to(folder / pictures).as_posix() for path in (folder / pictures).rglob("*.png")
        )
        rows = "".join(f"{name},{0.2 + 0.01 * place:.2f}\n" for place, name in enumerate(names))
        (folder / table).write_text(f"path,lpips\n{rows}")
    old = time.time() - 60  # old enough for the cache's memo
    for path in folder.rglob("*.*"):
        os.utime(path, (old, old))
    shutil.copyfile(folder / "refs" / "cat" / "01.jpg", folder / "a.jpg")
    shutil.copyfile(folder / "gens" / "cat" / "01.png", folder / "b.png")
    return folder


def _crop(photograph: Image.Image, edge: int, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    box = (edge, 2 * edge, photograph.width - edge, photograph.height - edge)
    photograph.crop(box).resize((160, 160)).save(path)


@pytest.fixture
def workshop(tmp_path: Path, _hub: Path, _pictures: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of a reader: pictures, a manifest, a checkpoint of one's own, and all models."""
    folder = Path(shutil.copytree(_pictures, tmp_path / "workshop"))
    shutil.copytree(_hub / "made" / "Aleksandar" / "nearid-siglip2", folder / "my-checkpoint")
    shutil.copytree(ROOT / "examples", folder / "examples")
    shutil.copyfile(ROOT / "examples" / "manifest.csv", folder / "manifest.csv")
    # huggingface_hub reads its variables when it is imported, which may be long ago.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(_hub / "hf" / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    # `models pull` asks the Hub even for what is here; this Hub answers that nothing is newer.
    monkeypatch.setattr(
        fetching, "download", lambda repository, revision, *_: cached_snapshot(repository, revision)
    )
    monkeypatch.setenv("NEARID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def my_bucket(workshop: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The reader's folders in a bucket, too; and as archives, and as data sets."""
    import datasets

    with s3_server() as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        file_system.cache_clear()
        s3.make("my-bucket")
        for folder in ("refs", "gens", "methods"):
            s3.put_folder("my-bucket", folder, workshop / folder)
        shutil.make_archive("refs", "zip", "refs")
        shutil.make_archive("all", "zip", ".", "refs")
        with zipfile.ZipFile("all.zip", "a") as archive:
            for file in sorted(Path("gens").rglob("*.png")):
                archive.write(file)
        s3.put("my-bucket", "all.zip", Path("all.zip").read_bytes())
        s3.put("my-bucket", "gens.tar", Path(shutil.make_archive("gens", "tar", "gens")).read_bytes())
        for side in ("refs", "gens"):
            files = sorted((workshop / side).rglob("*.*"))
            rows = {
                "image": [{"bytes": file.read_bytes(), "path": file.name} for file in files],
                "subject": [file.parent.name for file in files],
            }
            features = datasets.Features({"image": datasets.Image(), "subject": datasets.Value("string")})
            Path(f"{side}-set").mkdir()
            datasets.Dataset.from_dict(rows, features=features).to_parquet(f"{side}-set/data.parquet")
        yield
    file_system.cache_clear()


@pytest.fixture
def nearid(capfd: pytest.CaptureFixture[str]) -> Callable[[list[str]], tuple[int, str]]:
    """Run the command line in this process; returns its code, and what it printed, messages first."""
    from nearid_cli.cli.app import main

    def run(arguments: list[str]) -> tuple[int, str]:
        capfd.readouterr()
        code = main(arguments)
        captured = capfd.readouterr()
        return code, captured.err + captured.out

    return run
