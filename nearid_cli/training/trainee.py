"""The model as it is trained: bytes in, embeddings of length 1 out, and its weights by the names of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nearid_cli.encoders.files import read_files
from nearid_cli.encoders.load import load_model
from nearid_cli.encoders.nearid_model import NearIDModel
from nearid_cli.errors import ModelError
from nearid_cli.images.preprocessing import Preprocessing
from nearid_cli.text import printable
from nearid_cli.training.checkpoints import model_folder
from nearid_cli.training.export import write_model
from nearid_cli.training.model import build_model, load_preprocessing, read_preprocessor
from nearid_cli.training.options import TrainOptions


class Trainee(nn.Module):
    """A NearID model with the normalisation of its pictures in front.

    Args:
        model: the NearID model.
        preprocessing: of which rescaling and normalising are done here, on the model's device.
        preprocessor: the same as a preprocessor_config.json, which goes with every saved model.
    """

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(
        self, model: NearIDModel, preprocessing: Preprocessing, preprocessor: dict[str, Any]
    ) -> None:
        super().__init__()
        self.model, self.preprocessing, self.preprocessor = model, preprocessing, preprocessor
        table = torch.from_numpy(preprocessing.lookup())  # affine, so two of its rows say everything
        scale = (table[255] - table[0]) / 255
        self.register_buffer("scale", scale.view(3, 1, 1), persistent=False)
        self.register_buffer("shift", table[0].view(3, 1, 1), persistent=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Embed pictures.

        Args:
            pixels: uint8 [B, S, 3, H, W]; or in place of pictures their token features, floating [B, S, T, C].

        Returns:
            Float32 [B, S, D], rows of L2 norm 1, normalised in float32 whatever the precision of the model.
        """
        images = pixels.flatten(0, 1)
        if images.is_floating_point():
            outputs = self.model(tokens=images)
        else:
            outputs = self.model(images.float().mul_(self.scale).add_(self.shift))
        pooled: torch.Tensor = outputs.pooler_output.float()
        return nn.functional.normalize(pooled, dim=-1).view(*pixels.shape[:2], -1)

    def trained(self) -> dict[str, nn.Parameter]:
        """The parameters that are trained, by name."""
        return {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}

    def load_trained(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take back the weights of `trained`, to the bit.

        Raises:
            KeyError: a weight is missing.
        """
        with torch.no_grad():
            for name, weight in self.trained().items():
                weight.copy_(weights[name])

    def save(self, folder: Path, metrics: dict[str, Any]) -> None:
        """Write the model into an empty folder, as every encoder loads it."""
        write_model(self.model, folder, self.preprocessor, metrics=metrics or None)


def make_trainee(options: TrainOptions, device: str) -> Trainee:
    """The model that the options ask for, with the weights that it starts from.

    Args:
        options: of the run.
        device: the type of device that it will be trained on.

    Raises:
        UsageError, ModelError: see `build_model`; or the weights to start from are another model's.
    """
    model = build_model(
        options.backbone,
        options.head,
        options.embed_dim,
        options.unfreeze,
        options.from_scratch,
        options.seed,
    )
    if options.init_from is not None:
        _start_from(model, options.init_from)
    if options.unfreeze and device == "cpu":
        # The fused attention of a CPU is slow backwards: with 16 tokens in bfloat16 by a factor of 8, which is a
        # third of a small model's step. Plain products are faster or even up to some 200 tokens.
        model.set_attn_implementation("eager")
    return Trainee(model, load_preprocessing(options.backbone), read_preprocessor(options.backbone))


def _start_from(model: nn.Module, checkpoint: Path) -> None:
    """Copy the weights of a checkpoint of training, or of the model in it."""
    folder = model_folder(checkpoint)
    files = read_files(folder)
    if files.model_type != "nearid":
        raise ModelError(
            f"--init-from takes a NearID checkpoint, found {files.model_type} in {printable(folder)}"
        )
    weights = load_model(files, "mean", "float32").state_dict()
    own = model.state_dict()
    differ = [
        f"{name}: {_shape(weights.get(name))} there, {_shape(own.get(name))} here"
        for name in sorted(weights.keys() | own.keys())
        if _shape(weights.get(name)) != _shape(own.get(name))
    ]
    if differ:
        raise ModelError(
            f"--init-from: {printable(folder)} is not of the same architecture as --backbone, --head and --embed-dim",
            differ[:10],
        )
    model.load_state_dict(weights)


def _shape(weight: torch.Tensor | None) -> str:
    return "nothing" if weight is None else "x".join(map(str, weight.shape))
