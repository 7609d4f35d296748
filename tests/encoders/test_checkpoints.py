from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3

from nearid_cli.encoders.checkpoints import SHIPPED_FOLDER, MissingCheckpointError, locate, resolve
from nearid_cli.encoders.hub.cache import cached_snapshot
from nearid_cli.encoders.registry import SHIPPED, MetricRequest, parse_metrics
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.errors import ModelError, UsageError
from nearid_cli.files import digest_file
from tests.tiny import change_weights, hub_cache, write_json

Checkpoint = Callable[[str], Path]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def spec(metric: str, dtype: str = "float32") -> EncoderSpec:
    return resolve(parse_metrics([metric]), dtype)[0]


def test_a_local_folder(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = checkpoint("nearid")
    monkeypatch.chdir(folder.parent)
    found = spec("nearid=./nearid")
    assert (found.name, found.checkpoint, found.readout, found.dtype) == (
        "nearid",
        "./nearid",
        "pooled",
        "float32",
    )
    assert found.folder == folder
    assert found.preprocessing == "resize 32x32 bilinear, rescale 1/255, normalise mean 0.5 std 0.5"
    assert found.revision is not None
    assert len(found.revision) == len(found.fingerprint) == 64
    assert spec(f"other={folder}").fingerprint == found.fingerprint


def test_the_fingerprint_changes_with_all_that_decides_an_embedding(checkpoint: Checkpoint) -> None:
    folder = checkpoint("siglip")
    metric = f"x={folder}"
    prints = [spec(metric).fingerprint]
    prints += [spec(metric, "float16").fingerprint, spec(f"{metric}::mean").fingerprint]
    settings = {"image_processor_type": "SiglipImageProcessor", "size": {"height": 32, "width": 32}}
    write_json(folder, "preprocessor_config.json", settings | {"resample": 3})
    prints.append(spec(metric).fingerprint)
    change_weights(folder, lambda weights: weights["logit_bias"].add_(1))
    prints.append(spec(metric).fingerprint)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"layer_norm_eps": 1e-06', '"layer_norm_eps": 1e-05'))
    prints.append(spec(metric).fingerprint)
    assert len(set(prints)) == len(prints)
    assert spec(metric).fingerprint == prints[-1]


@pytest.mark.parametrize(
    ("name", "readout"),
    [
        ("nearid", "pooled"),
        ("clip", "projected"),
        ("siglip", "pooled"),
        ("dinov2", "cls"),
        ("dinov3", "cls"),
        ("vit", "cls"),
    ],
)
def test_the_readout_is_inferred(checkpoint: Checkpoint, name: str, readout: str) -> None:
    assert spec(f"x={checkpoint(name)}").readout == readout


@pytest.mark.parametrize(
    ("name", "readout"), [("dinov2", "projected"), ("siglip", "cls"), ("nearid", "projected")]
)
def test_a_readout_that_the_architecture_lacks(checkpoint: Checkpoint, name: str, readout: str) -> None:
    with pytest.raises(UsageError, match=f"{name} checkpoints have no readout {readout}: .*mean"):
        spec(f"x={checkpoint(name)}::{readout}")


def test_weights_are_hashed_by_the_callers_function(checkpoint: Checkpoint) -> None:
    folder = checkpoint("vit")
    seen: list[str] = []

    def hash_file(file: Path) -> str:
        seen.append(file.name)
        return digest_file(file)

    (found,) = resolve([MetricRequest("x", str(folder))], "float32", hash_file)
    assert seen == ["model.safetensors"]
    assert found.digests == {
        name: digest_file(folder / name)
        for name in ("config.json", "preprocessor_config.json", "model.safetensors")
    }
    assert found == spec(f"x={folder}")
    assert digest_file(folder / "config.json") == blake3((folder / "config.json").read_bytes()).hexdigest()


def test_a_hub_snapshot_is_known_by_its_commit(
    checkpoint: Checkpoint, no_hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = hub_cache(no_hub, "Aleksandar/nearid-siglip2", checkpoint("nearid"), COMMIT)

    def never(file: Path) -> str:
        raise AssertionError(f"{file} was hashed")

    (found,) = resolve(parse_metrics(["nearid"]), "float32", never)
    assert (found.checkpoint, found.revision, found.folder) == ("Aleksandar/nearid-siglip2", COMMIT, snapshot)
    assert spec(f"nearid=Aleksandar/nearid-siglip2@{COMMIT}").fingerprint == found.fingerprint


def test_the_cache_look_up_agrees_with_huggingface_hub(checkpoint: Checkpoint, no_hub: Path) -> None:
    from huggingface_hub import try_to_load_from_cache

    folder = checkpoint("vit")
    hub_cache(no_hub, "org/model", folder, "a" * 40)
    hub_cache(no_hub, "org/model", folder, "b" * 40, ref="refs/pr/3")
    for revision in (None, "main", "refs/pr/3", "a" * 40, "b" * 40, "c" * 40, "v1"):
        theirs = try_to_load_from_cache("org/model", "config.json", cache_dir=no_hub, revision=revision)
        ours = cached_snapshot("org/model", revision)
        assert (str(ours / "config.json") if ours else None) == theirs
    assert cached_snapshot("org/other", None) is None


def test_the_cache_is_where_the_environment_says(checkpoint: Checkpoint, tmp_path: Path) -> None:
    hub_cache(tmp_path / "home" / "hub", "org/model", checkpoint("vit"))
    code = (
        "from nearid_cli.encoders.registry import parse_metrics; import sys\n"
        "from nearid_cli.encoders.checkpoints import resolve\n"
        "print(resolve(parse_metrics(['org/model']), 'float32')[0].folder)\n"
        "print(sorted({'torch', 'transformers', 'httpx', 'httpx2', 'pandas'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={"HF_HOME": str(tmp_path / "home"), "PATH": "", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    folder, heavy = result.stdout.splitlines()
    assert folder == str(tmp_path / "home/hub/models--org--model/snapshots" / ("c" * 40))
    assert heavy == "[]"


def test_all_missing_checkpoints_are_named_at_once(no_hub: Path, checkpoint: Checkpoint) -> None:
    hub_cache(no_hub, "facebook/dinov2-large", checkpoint("dinov2"))
    with pytest.raises(MissingCheckpointError) as error:
        resolve(parse_metrics(["nearid,dino,clip-i"]), "float32")
    assert error.value.message == "2 checkpoints are not here: nearid, clip-i"
    reason = "is no folder here, is not in the Hub cache and cannot be fetched: HF_HUB_OFFLINE is set"
    assert error.value.details == (
        f"nearid: Aleksandar/nearid-siglip2 {reason}",
        f"clip-i: openai/clip-vit-large-patch14 {reason}",
        "to fetch, where there is network: nearid models pull nearid clip-i",
        "to use a local copy: --metric nearid=PATH",
        "for a smoke check, not for papers: --metric nearid-mini works offline",
    )


def test_missing_and_damaged_checkpoints_are_told_apart(no_hub: Path, checkpoint: Checkpoint) -> None:
    folder = checkpoint("vit")
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError) as error:
        resolve(parse_metrics(["nearid", f"x={folder}"]), "float32")
    assert not isinstance(error.value, MissingCheckpointError)
    assert error.value.message == "2 checkpoints are not usable: nearid, x"
    assert [line.split(":")[0] for line in error.value.details] == [
        "nearid",
        "x",
        "to fetch, where there is network",
        "to use a local copy",
        "for a smoke check, not for papers",
    ]


@pytest.mark.parametrize("name", ["model.safetensors", "preprocessor_config.json"])
def test_an_interrupted_download_is_not_taken_for_a_checkpoint(
    no_hub: Path, checkpoint: Checkpoint, name: str
) -> None:
    snapshot = hub_cache(no_hub, "org/model", checkpoint("vit"))
    assert locate(MetricRequest("x", "org/model")) == snapshot
    (snapshot / name).resolve().unlink()
    assert locate(MetricRequest("x", "org/model")) is None
    with pytest.raises(MissingCheckpointError) as error:
        spec("org/model")
    assert "is only partly in the Hub cache" in error.value.details[0]


def test_a_path_that_does_not_exist(no_hub: Path) -> None:
    with pytest.raises(ModelError) as error:
        spec("nearid=./nowhere")
    assert error.value.details == ("nearid: expected a folder with config.json, found no folder nowhere",)


def test_a_revision_of_a_local_folder(checkpoint: Checkpoint) -> None:
    request = MetricRequest("x", str(checkpoint("vit")), revision="main")
    with pytest.raises(UsageError, match=r"a revision \(main\) is for a Hub id"):
        resolve([request], "float32")


def test_the_checkpoint_in_the_package_has_one_name_everywhere(no_hub: Path) -> None:
    found = spec("nearid-mini")
    assert (found.checkpoint, found.revision, found.folder) == (SHIPPED, None, SHIPPED_FOLDER)
    # Made of its content as that of any local folder: a copy shares the cache.
    assert found.fingerprint == spec(f"copy={SHIPPED_FOLDER}").fingerprint
    assert locate(MetricRequest("x", SHIPPED)) == SHIPPED_FOLDER
    with pytest.raises(UsageError, match=r"a revision \(v1\) is for a Hub id, and .* ships with nearid-cli"):
        spec("nearid-mini@v1")


def test_the_metric_without_weights() -> None:
    found = spec("hog")
    assert (found.name, found.folder, found.checkpoint) == ("hog", None, "")
