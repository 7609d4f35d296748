"""What a checkpoint's settings may say: nothing that imports, fetches or chooses code, and no number out of bounds."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from PIL import Image

from nearid_cli.encoders.files import read_files
from nearid_cli.encoders.load import load_encoder
from nearid_cli.encoders.settings import KEYS
from nearid_cli.errors import ModelError
from nearid_cli.images.reading import UnreadableImage
from tests.encoders.test_changed import spec_of
from tests.tiny import pickle_weights, write_json

Checkpoint = Callable[[str], Path]

# Of base classes and backbones: nothing that a tower's output depends on.
UNUSED = {
    "_out_features", "_out_indices", "apply_layernorm", "architectures", "chunk_size_feed_forward", "dtype", "id2label",
    "is_encoder_decoder", "label2id", "output_hidden_states", "problem_type", "reshape_hidden_states", "return_dict",
    "transformers_version",
}  # fmt: skip
CONFIGS = (
    "CLIPConfig", "CLIPTextConfig", "CLIPVisionConfig", "SiglipConfig", "SiglipTextConfig", "SiglipVisionConfig",
    "Dinov2Config", "Dinov2WithRegistersConfig", "DINOv3ViTConfig", "ViTConfig",
)  # fmt: skip

ATTACKS: dict[str, Any] = {
    "_attn_implementation": "planted/kernel",
    "attn_implementation": "planted/kernel",
    "_attn_implementation_internal": "planted/kernel",
    "_experts_implementation": "planted/kernel",
    "experts_implementation": "planted/kernel",
    "auto_map": {"AutoConfig": "planted.X", "AutoModel": "planted.X", "AutoImageProcessor": "planted.X"},
    "custom_pipelines": {"embed": {"impl": "planted.X"}},
    "dtype": "planted",
    "torch_dtype": "planted",
    "kernels": ["planted/kernel"],
    "use_kernels": True,
    "kernel_config": {"planted": "planted/kernel"},
    "_name_or_path": "planted/model",
    "name_or_path": "planted/model",
    "num_labels": 10**9,
    "pruned_heads": {"0": [0]},
    "return_dict": False,
    "output_attentions": True,
    "gguf_file": "planted.gguf",
    "tokenizer_class": "planted.X",
    "image_processor_type_": "planted.X",
    "forward": "planted",
    "transformers_weights": "planted.safetensors",
    "base_model_tp_plan": {"layers.*": "colwise"},
}

WATCH = """
import builtins, json, socket, sys
from pathlib import Path
folders, planted = sys.argv[2:], Path(sys.argv[1])
builtins.TOUCHED = []
for name in ("planted", "kernels", "xielu", "flash_attn"):
    (planted / name).mkdir(parents=True, exist_ok=True)
    (planted / name / "__init__.py").write_text(f"TOUCHED.append({name!r})")
    (planted / name / "ops.py").write_text("")
sys.path.insert(0, str(planted))
def refuse(*arguments):
    TOUCHED.append("network")
    raise OSError("no network here")
socket.socket.connect = socket.getaddrinfo = refuse
"""


def change(folder: Path, **changes: Any) -> Path:
    config = json.loads((folder / "config.json").read_bytes())
    for name in [name for name in config if name.startswith("vision_config")]:
        config[name] |= changes
    return write_json(folder, "config.json", config | changes)


def run(code: str, *arguments: object) -> list[Any]:
    found = subprocess.run(
        [sys.executable, "-c", WATCH + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert found.returncode == 0, found.stderr
    return list(json.loads(found.stdout.splitlines()[-1]))


def test_no_key_of_a_config_imports_or_fetches_anything(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folders = [checkpoint(name) for name in ("vit", "clip", "nearid", "dinov2")]
    code = """
from PIL import Image
from nearid_cli.encoders.load import load_encoder
from tests.encoders.test_changed import spec_of
def embedded():
    for folder in folders:
        encoder = load_encoder(spec_of(Path(folder)))
        picture = encoder.prepare(Image.radial_gradient("L").convert("RGB"))
        yield encoder.embed([picture]).tobytes()
clean = list(embedded())
from tests.encoders.test_settings import ATTACKS, change
TOUCHED.clear()
for folder in folders:
    change(Path(folder), **ATTACKS)
found = list(embedded())
print(json.dumps([found == clean, TOUCHED]))
"""
    assert run(code, tmp_path / "planted", *folders) == [True, []]


def test_what_would_have_imported_a_module_does_so_in_transformers(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    folders = [change(checkpoint("vit"), hidden_act="xielu")]
    with pytest.raises(ModelError, match=r"hidden_act: expected one of gelu, .*, found 'xielu'"):
        read_files(folders[0])
    code = """
import transformers
transformers.ViTModel(transformers.ViTConfig.from_pretrained(folders[0]))
found = sorted(set(TOUCHED))
config = json.loads(Path(folders[0], "config.json").read_bytes())
TOUCHED.clear()
try:
    transformers.ViTModel(
        transformers.ViTConfig.from_dict({**config, "hidden_act": "gelu", "_attn_implementation": "planted/kernel"})
    )
except ImportError:
    pass
print(json.dumps([found, "kernels" in TOUCHED or "flash_attn" in TOUCHED]))
"""
    found, kernels = run(code, tmp_path / "planted", *folders)
    assert "xielu" in found
    assert kernels or "kernels" in found


@pytest.mark.parametrize("name", CONFIGS)
def test_every_setting_of_an_architecture_is_passed_on_or_says_nothing(name: str) -> None:
    fields = {field.name for field in dataclasses.fields(getattr(transformers, name))}
    assert fields - KEYS - UNUSED == set()


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("num_hidden_layers", 10**6, "a whole number from 1 to 256, found 1000000"),
        ("num_hidden_layers", 10**4000, "a whole number from 1 to 256, found one of more than 15 digits"),
        ("num_hidden_layers", -1, "found -1"),
        ("num_hidden_layers", 0, "found 0"),
        ("hidden_size", 10**9, "from 1 to 16,384, found 1000000000"),
        ("hidden_size", 32.0, r"found 32\.0"),
        ("hidden_size", "32", "found '32'"),
        ("hidden_size", True, "found True"),
        ("hidden_size", None, "found None"),
        ("hidden_size", [32], "found a list of 1"),
        ("hidden_size", {"a": 1}, "found settings"),
        ("hidden_size", float("nan"), "found nan"),
        ("intermediate_size", 10**9, "found 1000000000"),
        ("num_attention_heads", 10**9, "found 1000000000"),
        ("image_size", 13_000, "from 1 to 2,048, found 13000"),
        ("image_size", [32, 10**9], "found a list of 2"),
        ("patch_size", 10**6, "found 1000000"),
        ("layer_norm_eps", float("nan"), "a number from 0 to 1, found nan"),
        ("layer_norm_eps", -1, "found -1"),
        ("layer_norm_eps", float("inf"), "found inf"),
        ("hidden_act", "exec", "found 'exec'"),
        ("hidden_size", 33, "a multiple of num_attention_heads 2, found 33"),
        ("hidden_act", ["gelu"], "found a list of 1"),
        ("qkv_bias", "yes", "true or false, found 'yes'"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(
    checkpoint: Checkpoint, key: str, value: object, found: str
) -> None:
    folder = change(checkpoint("vit"), **{key: value})
    with pytest.raises(ModelError, match=rf"config\.json describes no model .*{key}: expected .*{found}"):
        read_files(folder)


def test_a_model_that_its_weights_cannot_be_is_refused_before_it_is_made(checkpoint: Checkpoint) -> None:
    sizes = {"hidden_size": 16_384, "intermediate_size": 65_536, "num_hidden_layers": 256}
    for name in ("vit", "nearid", "siglip"):
        with pytest.raises(
            ModelError, match=r"a model of at least [\d,]+ numbers, and its weights, which have"
        ):
            spec_of(change(checkpoint(name), **sizes))
    folder = checkpoint("dinov2")
    pickle_weights(folder)
    with pytest.raises(ModelError, match="cannot be those"):
        spec_of(change(folder, **sizes))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 13_000}, "expected at most 2,048 px in size, found 13,000"),
        ({"crop_size": {"height": 10**9, "width": 32}}, "in crop_size, found 1,000,000,000"),
        ({"size": {"shortest_edge": 13_000}}, "in size, found 13,000"),
        ({"rescale_factor": float("inf")}, "expected numbers of use in rescale_factor, found inf"),
        ({"image_std": [float("nan")] * 3}, "in image_std, found nan"),
        ({"resample": 10**100}, "in resample, found one of more than 15 digits"),
    ],
)
def test_an_image_processor_that_asks_for_too_much_is_refused(
    checkpoint: Checkpoint, settings: dict[str, Any], message: str
) -> None:
    folder = checkpoint("dinov2")
    processor = json.loads((folder / "preprocessor_config.json").read_bytes())
    write_json(folder, "preprocessor_config.json", processor | settings)
    with pytest.raises(ModelError, match=message):
        spec_of(folder)


def test_pictures_of_more_patches_than_can_be_run_are_refused(checkpoint: Checkpoint) -> None:
    folder = change(checkpoint("dinov2"), patch_size=1)
    processor = json.loads((folder / "preprocessor_config.json").read_bytes())
    size = {"height": 1024, "width": 1024}
    write_json(folder, "preprocessor_config.json", processor | {"size": size, "crop_size": size})
    with pytest.raises(ModelError, match="one patch of a picture and at most 32,768, found 1,048,576"):
        spec_of(folder)


@pytest.mark.parametrize("kind", ["pipeline", "AutoModel", "os.system", "planted.X", "CLIPTokenizer"])
def test_a_processor_that_is_none_is_not_made(checkpoint: Checkpoint, kind: str) -> None:
    folder = checkpoint("vit")
    write_json(
        folder, "preprocessor_config.json", {"image_processor_type": kind, "auto_map": {"x": "planted.X"}}
    )
    with pytest.raises(ModelError, match=f"no image processor {kind} that runs here"):
        load_encoder(spec_of(folder))


def with_processor(folder: Path, **settings: Any) -> Path:
    processor = json.loads((folder / "preprocessor_config.json").read_bytes())
    return write_json(folder, "preprocessor_config.json", processor | settings)


def test_pictures_that_are_smaller_than_a_patch_are_refused(checkpoint: Checkpoint) -> None:
    folder = checkpoint("dinov2")
    words = "expected at least one patch of a picture .*found 0 "
    with pytest.raises(ModelError, match=words):
        spec_of(with_processor(folder, crop_size={"height": 32, "width": 5}))
    with pytest.raises(ModelError, match=words):
        spec_of(with_processor(folder, do_center_crop=False, size={"shortest_edge": 5}))
    picture = Image.new("RGB", (40, 6))
    with pytest.raises(
        UnreadableImage, match=r"prepared as 40x6 px, less than a patch of the model \(8x8 px\)"
    ):
        load_encoder(spec_of(with_processor(folder, do_resize=False))).prepare(picture)
    with pytest.raises(ModelError, match=r"makes too little of a picture: .* as 1x1 px, less than a patch"):
        load_encoder(spec_of(with_processor(folder, do_center_crop=True, crop_size=True))).prepare(picture)


def test_a_forward_pass_that_fails_names_the_checkpoint(checkpoint: Checkpoint) -> None:
    folder = checkpoint("dinov3")
    config = json.loads((folder / "config.json").read_bytes())
    del config["num_attention_heads"]  # 6 by default, which do not divide the width
    encoder = load_encoder(spec_of(write_json(folder, "config.json", config)))
    pixels = encoder.prepare(Image.new("RGB", (40, 40)))
    with pytest.raises(ModelError, match=r"/dinov3: the model cannot be run: RuntimeError: shape"):
        encoder.embed([pixels])


@pytest.mark.parametrize(
    "settings", [{"model_type": "a" * 5000}, {"quantization_config": {"quant_method": "a" * 5000}}]
)
def test_a_refusal_quotes_little_of_a_config(checkpoint: Checkpoint, settings: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="a" * 80) as error:
        read_files(change(checkpoint("vit"), **settings))
    assert len(str(error.value)) < 500


def test_a_refusal_quotes_little_of_a_head(checkpoint: Checkpoint) -> None:
    folder = checkpoint("vit")
    names = [f"{letter}{'x' * 5000}" for letter in "abcdefgh"]
    table = {
        name: {"dtype": name, "shape": [], "data_offsets": [at, at + 1]} for at, name in enumerate(names)
    }
    head = json.dumps(table).encode()
    (folder / "model.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + bytes(len(names)))
    with pytest.raises(ModelError, match=r"and 3 more in .*the model is quantised") as error:
        read_files(folder)
    assert len(str(error.value)) < 1500
