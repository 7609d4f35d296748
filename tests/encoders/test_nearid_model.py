from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers

from nearid_cli.encoders import autoregister
from nearid_cli.encoders.nearid_model import NearIDConfig, NearIDModel
from nearid_cli.errors import ModelError
from tests.tiny import VISION, tiny_nearid

Checkpoint = Callable[[str], Path]
PIXELS = torch.linspace(-1, 1, 2 * 3 * 32 * 32).reshape(2, 3, 32, 32)


def features(model: NearIDModel) -> torch.Tensor:
    with torch.no_grad():
        return model.eval().get_image_features(PIXELS)


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )


def test_both_key_layouts_load_alike(tmp_path: Path) -> None:
    hub = tiny_nearid(tmp_path / "hub", seed=3, layout="hub")
    flat = tiny_nearid(tmp_path / "flat", seed=3, layout="flat")
    models = []
    for folder in (hub, flat):
        model, report = NearIDModel.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
        assert not any(report.values())
        models.append(model)
    one, other = map(features, models)
    assert torch.allclose(one, other, atol=1e-3)  # the hub's weights are rounded to float16
    assert not torch.allclose(one[0], one[1], atol=1e-2)


def test_round_trip(checkpoint: Checkpoint, tmp_path: Path) -> None:
    model = NearIDModel.from_pretrained(checkpoint("nearid"), dtype=torch.float32)
    model.save_pretrained(tmp_path / "saved")
    again = NearIDModel.from_pretrained(tmp_path / "saved")
    assert torch.equal(features(model), features(again))
    assert again.config.embed_dim == VISION["hidden_size"]
    assert again.config.vision_config.to_dict()["patch_size"] == VISION["patch_size"]


def test_outputs() -> None:
    model = NearIDModel(NearIDConfig(vision_config=VISION)).eval()
    assert isinstance(model.config.vision_config, transformers.SiglipVisionConfig)
    with torch.no_grad():
        output = model(PIXELS)
    assert output.image_embeds.shape == output.pooler_output.shape == (2, 32)
    assert output.last_hidden_state.shape == (2, 16, 32)
    assert torch.allclose(output.image_embeds.norm(dim=-1), torch.ones(2))
    assert torch.equal(features(model), output.image_embeds)

    model.config.normalize_embeddings = False
    assert torch.equal(features(model), output.pooler_output)


def test_a_projection_is_not_in_the_released_layout() -> None:
    with pytest.raises(ModelError, match="embed_dim 16 with hidden_size 32"):
        NearIDConfig(vision_config=VISION, embed_dim=16)
    assert NearIDConfig(vision_config=VISION).embed_dim == 32


def test_the_released_configuration() -> None:
    config = NearIDConfig.from_dict(
        {
            "model_type": "nearid",
            "embed_dim": 1152,
            "normalize_embeddings": True,
            "vision_config": {
                "hidden_size": 1152,
                "intermediate_size": 4304,
                "num_hidden_layers": 27,
                "num_attention_heads": 16,
                "image_size": 384,
                "patch_size": 14,
                "hidden_act": "gelu_pytorch_tanh",
            },
        }
    )
    with torch.device("meta"):
        model = NearIDModel(config)
    assert sum(parameter.numel() for parameter in model.parameters()) == 428_225_600


# Importing nearid_cli installs. The vision tower first is the order in which transformers' modules
# import the auto classes while they are incomplete themselves.
@pytest.mark.parametrize(
    "order",
    [
        "import nearid_cli; from transformers import SiglipVisionModel, AutoModel",
        "from transformers import AutoModel; import nearid_cli",
        "import nearid_cli.encoders.nearid_config; from transformers import AutoModel",
    ],
)
def test_auto_model_loads_without_remote_code(checkpoint: Checkpoint, order: str) -> None:
    folder = checkpoint("nearid")
    result = run(
        f"{order}; import torch, transformers; transformers.utils.logging.disable_progress_bar()\n"
        f"model = AutoModel.from_pretrained({str(folder)!r})\n"
        "features = model.float().get_image_features(torch.ones(2, 3, 32, 32))\n"
        "print(type(model).__module__, list(features.shape), features.norm(dim=-1).allclose(torch.ones(2)))"
    )
    assert result.stdout == "nearid_cli.encoders.nearid_model [2, 32] True\n"
    assert result.stderr == ""


def test_registering_imports_nothing() -> None:
    result = run(
        "import sys, nearid_cli\n"
        "print(sorted({'torch', 'transformers', 'numpy', 'huggingface_hub'} & set(sys.modules)))"
    )
    assert result.stdout == "[]\n"


def test_transformers_alone_does_not_load_the_model() -> None:
    result = run(
        "import sys, nearid_cli; from transformers import AutoConfig, AutoTokenizer\n"
        "print([name for name in sys.modules if name.startswith('nearid_cli.encoders.nearid')])"
    )
    assert result.stdout == "['nearid_cli.encoders.nearid_config']\n"


def test_installing_here_registers_at_once() -> None:
    autoregister.install()
    finders = [finder for finder in sys.meta_path if type(finder).__name__ == "_Finder"]
    autoregister.install()
    assert [finder for finder in sys.meta_path if type(finder).__name__ == "_Finder"] == finders
    assert len(finders) == 1
    assert transformers.AutoConfig.for_model("nearid").model_type == "nearid"
