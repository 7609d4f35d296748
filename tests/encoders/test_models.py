from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from nearid_cli.encoders import models
from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.kept_models import WEIGHTS, KeptModels
from nearid_cli.encoders.registry import REGISTRY, parse_metrics
from nearid_cli.errors import ModelError, UsageError
from nearid_cli.files import digest_file
from tests.tiny import change_weights, hub_cache

Checkpoint = Callable[[str], Path]


def test_list_says_what_is_here(no_hub: Path, checkpoint: Checkpoint) -> None:
    folder = checkpoint("dinov2")
    snapshot = hub_cache(no_hub, "facebook/dinov2-large", folder)
    rows = {row.metric: row for row in models.available({"mine": {"checkpoint": str(checkpoint("vit"))}})}
    assert list(rows) == [*REGISTRY, "mine"]
    assert rows["dino"].folder == snapshot
    assert rows["dino"].size == sum(file.stat().st_size for file in folder.iterdir())
    assert {name for name, row in rows.items() if row.is_here} == {
        *("dino", "nearid-mini", "hog", "mine", "judge")
    }
    assert rows["nearid"].size is None


def test_list_survives_a_damaged_checkpoint(no_hub: Path, checkpoint: Checkpoint) -> None:
    folder = checkpoint("vit")
    (folder / "config.json").write_text("{")
    rows = {row.metric: row for row in models.available({"mine": {"checkpoint": str(folder)}})}
    assert rows["mine"].folder == folder


def test_info(no_hub: Path, checkpoint: Checkpoint) -> None:
    row, spec = models.info("dino")
    assert (row.is_here, spec) == (False, None)
    hub_cache(no_hub, "facebook/dinov2-large", checkpoint("dinov2"), "d" * 40)
    row, spec = models.info("dino")
    assert spec is not None
    assert (row.is_here, spec.revision, spec.readout) == (True, "d" * 40, "cls")
    with pytest.raises(UsageError, match="did you mean dino"):
        models.info("dinno")
    with pytest.raises(UsageError, match="expected one metric, found 2"):
        models.info("dino,nearid")


def test_pull_without_network_names_every_failure(no_hub: Path, checkpoint: Checkpoint) -> None:
    with pytest.raises(ModelError) as error:
        models.pull(["nearid,hog", "clip-i", f"x={checkpoint('vit')}"])
    assert error.value.message == "2 of 4 checkpoints could not be fetched"
    assert [line.split(":")[0] for line in error.value.details] == ["nearid", "clip-i"]


def test_verify_a_hub_snapshot(no_hub: Path, checkpoint: Checkpoint) -> None:
    folder = checkpoint("nearid")
    snapshot = hub_cache(no_hub, "Aleksandar/nearid-siglip2", folder)
    verification = models.verify("nearid")
    assert verification.damaged == ()
    checks = {check.name: check for check in verification.files}
    assert set(checks) == {"config.json", "preprocessor_config.json", "model.safetensors"}
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert (checks["model.safetensors"].algorithm, checks["model.safetensors"].digest) == ("sha256", weights)
    assert checks["config.json"].algorithm == "git-sha1"

    blob = (snapshot / "model.safetensors").resolve()
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.write_bytes(content)
    assert [check.name for check in models.verify("nearid").damaged] == ["model.safetensors"]


def test_verify_a_snapshot_without_links(no_hub: Path, checkpoint: Checkpoint) -> None:
    snapshot = hub_cache(no_hub, "org/model", checkpoint("vit"))
    for link in list(snapshot.iterdir()):
        content = link.read_bytes()
        link.unlink()
        link.write_bytes(content)
    assert {check.expected for check in models.verify("org/model").files} == {None}


def test_verify_a_local_folder(checkpoint: Checkpoint) -> None:
    folder = checkpoint("vit")
    verification = models.verify(f"x={folder}")
    assert {check.name: check.digest for check in verification.files} == {
        file.name: digest_file(file) for file in folder.iterdir()
    }
    assert verification.damaged == ()
    change_weights(folder, lambda weights: weights["layernorm.bias"].fill_(float("nan")))
    with pytest.raises(ModelError, match="NaN or infinity"):
        models.verify(f"x={folder}")


def test_verify_the_model_that_was_converted(
    checkpoint: Checkpoint,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is looked for in the cache in force, and the checkpoint is hashed once."""
    folder, cache = checkpoint("vit"), tmp_path / "cache"
    (spec,) = resolve(parse_metrics([f"x={folder}"]), "float32", engine="auto")

    def write(graph: Path) -> None:
        graph.write_bytes(b"<net/>")
        graph.with_name(WEIGHTS).write_bytes(b"weights")

    kept = KeptModels(cache).keep(spec.converted, write)
    hashed: list[Path] = []

    def hash_file(file: Path) -> str:
        hashed.append(file)
        return digest_file(file)

    with monkeypatch.context() as patched:
        patched.setattr(models, "digest_file", lambda file: pytest.fail(f"{file} is hashed again"))
        found = models.verify(f"x={folder}", hash_file=hash_file, cache=cache).files
    assert hashed == [folder / "model.safetensors"]
    assert [one.expected == one.digest for one in found if one.path == kept] == [True]
    assert kept not in [one.path for one in models.verify(f"x={folder}").files]  # the default cache
    kept.write_bytes(b"<net!>")
    assert kept not in [one.path for one in models.verify(f"x={folder}", cache=cache).files]
    assert "is converted anew: it was changed or cut" in caplog.text


def test_verify_what_is_not_here(no_hub: Path) -> None:
    with pytest.raises(ModelError, match="not here; fetch it: nearid models pull nearid"):
        models.verify("nearid")


def test_verify_the_metric_without_weights() -> None:
    assert models.verify("hog").files == ()
