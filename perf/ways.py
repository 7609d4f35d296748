"""Ways to run a checkpoint on a CPU: those that nearid has, and others, which need packages that it does not."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from nearid_cli.encoders import openvino_encoder
from nearid_cli.encoders.checkpoint_encoder import CheckpointEncoder
from nearid_cli.encoders.checkpoints import find_preprocessing, resolve
from nearid_cli.encoders.files import CheckpointFiles, read_files
from nearid_cli.encoders.load import load_encoder, load_model
from nearid_cli.encoders.registry import parse_metrics
from nearid_cli.encoders.spec import Encoder, EncoderSpec
from nearid_cli.images.preprocessing import Preprocessing

if TYPE_CHECKING:
    from nearid_cli.encoders.spec import Embeddings, Pixels


@dataclass(frozen=True)
class Way:
    """A contender. Its checkpoint is `model` in a folder, photographs to calibrate by are in `calibration`.

    Attributes:
        load: makes the encoder.
        needs: packages besides nearid's own.
        convert: writes into the folder what `load` reads.
        int8: whether weights are in int8.
    """

    load: Callable[[Path], Encoder]
    needs: tuple[str, ...] = ()
    convert: Callable[[Path], object] | None = None
    int8: bool = False


def spec_of(folder: Path, dtype: str = "float32", engine: str = "torch") -> EncoderSpec:
    """What nearid makes of the checkpoint."""
    (spec,) = resolve(parse_metrics([f"x={folder / 'model'}"]), dtype, engine=engine)
    return spec


def _by_torch(folder: Path, dtype: str = "float32", change: Callable[[Any], None] | None = None) -> Encoder:
    from nearid_cli.encoders.torch_encoder import TorchEncoder

    spec, files = spec_of(folder, dtype), read_files(folder / "model")
    model = load_model(files, spec.readout, dtype)
    encoder = TorchEncoder(spec, files, model, "cpu")
    if change:
        change(model)  # not before: the encoder counts parameters, and int8 has none
    return encoder


def _compile(model: Any) -> None:
    model.compile()


def _make_int8(model: Any) -> None:
    import torch

    quantize: Any = torch.ao.quantization.quantize_dynamic
    quantize(model, {torch.nn.Linear}, dtype=torch.qint8, inplace=True)


def _make_int8_by_torchao(model: Any) -> None:
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    quantize_(model, Int8DynamicActivationInt8WeightConfig())
    model.compile()  # for which it is made


def _by_openvino(folder: Path, dtype: str) -> Encoder:
    return load_encoder(spec_of(folder, dtype, "openvino"), cache=folder / "cache")


def _by_nncf(folder: Path, name: str) -> Encoder:
    graph = openvino_encoder.read(folder / name / "model.xml")
    return openvino_encoder.OpenVINOEncoder(spec_of(folder), read_files(folder / "model"), graph)


def _write_nncf(folder: Path, name: str, compress: Callable[[Any, Any], Any]) -> None:
    files = read_files(folder / "model")
    model = load_model(files, spec_of(folder).readout, "float32")
    graph = openvino_encoder.converted(model, files, spec_of(folder).readout, 1)
    (folder / name).mkdir()
    openvino_encoder.write(
        openvino_encoder.Graph(compress(graph.model, _prepared(folder, files))), folder / name / "model.xml"
    )


def _calibrated(model: Any, prepared: Sequence[Any]) -> Any:
    import nncf

    return nncf.quantize(
        model, nncf.Dataset(prepared), model_type=nncf.ModelType.TRANSFORMER, subset_size=len(prepared)
    )


def _only_weights(model: Any, prepared: Sequence[Any]) -> Any:
    import nncf

    return nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)


def _prepared(folder: Path, files: CheckpointFiles) -> list[Any]:
    """What the model takes, [1, 3, H, W], of each photograph to calibrate by."""
    preprocessing = find_preprocessing(files)
    assert isinstance(preprocessing, Preprocessing)
    pictures = [Image.open(path).convert("RGB") for path in sorted((folder / "calibration").iterdir())]
    return [preprocessing.normalised([preprocessing.to_uint8(picture)]) for picture in pictures]


class _OnnxEncoder(CheckpointEncoder):
    """See `nearid_cli.encoders.spec.Encoder`."""

    def __init__(self, folder: Path, name: str) -> None:
        import onnxruntime

        super().__init__(spec_of(folder), read_files(folder / "model"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = os.cpu_count()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the others do not either
        self._session = onnxruntime.InferenceSession(
            folder / name, options, providers=["CPUExecutionProvider"]
        )

    def _embed_alike(self, batch: Sequence[Pixels]) -> Embeddings:
        return self._by_equal_passes(batch, 1)

    def _pass(self, batch: Sequence[Pixels]) -> Embeddings:
        assert isinstance(self._preprocessing, Preprocessing)
        values = self._preprocessing.normalised(batch)
        (features,) = self._session.run(None, {self._session.get_inputs()[0].name: values})
        rows: Embeddings = features / np.linalg.norm(features, axis=-1, keepdims=True)
        return rows


def _write_onnx(folder: Path, name: str) -> None:
    import torch

    from nearid_cli.encoders.torch_encoder import ReadModel

    files, readout = read_files(folder / "model"), spec_of(folder).readout
    model = ReadModel(load_model(files, readout, "float32"), files, readout).eval()
    example = torch.from_numpy(_prepared(folder, files)[0])
    torch.onnx.export(model, (example,), folder / name, dynamo=True, verbose=False)


def _write_onnx_int8(folder: Path, name: str) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = folder / f"whole-{name}"
    _write_onnx(folder, whole.name)
    quantize_dynamic(
        whole, folder / name, per_channel=True, weight_type=QuantType.QInt8, use_external_data_format=True
    )


class _Pipeline:
    """transformers' pipeline as one writes it: float32, eager attention."""

    def __init__(self, folder: Path) -> None:
        from transformers import pipeline

        self._pipeline = pipeline(
            "image-feature-extraction",
            str(folder / "model"),
            pool=True,
            model_kwargs={"attn_implementation": "eager"},
        )

    def prepare(self, image: Image.Image) -> Image.Image:
        return image

    def embed(self, batch: Sequence[Image.Image]) -> Embeddings:
        rows = np.concatenate([np.asarray(self._pipeline(image), np.float32) for image in batch])
        normal: Embeddings = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return normal


STOCK, EXACT = "transformers pipeline", "torch float32"
WAYS: dict[str, Way] = {
    STOCK: Way(_Pipeline),  # type: ignore[arg-type]  # of an encoder it has what is used
    EXACT: Way(_by_torch),
    "torch bfloat16": Way(partial(_by_torch, dtype="bfloat16")),
    "torch.compile float32": Way(partial(_by_torch, change=_compile)),
    "torch int8, dynamic": Way(partial(_by_torch, change=_make_int8), int8=True),
    "torchao int8, dynamic, compiled": Way(
        partial(_by_torch, change=_make_int8_by_torchao), ("torchao",), int8=True
    ),
    "ONNX Runtime float32": Way(
        partial(_OnnxEncoder, name="float32.onnx"),
        ("onnxruntime", "onnxscript"),
        partial(_write_onnx, name="float32.onnx"),
    ),
    "ONNX Runtime int8, dynamic": Way(
        partial(_OnnxEncoder, name="int8.onnx"),
        ("onnxruntime", "onnxscript"),
        partial(_write_onnx_int8, name="int8.onnx"),
        int8=True,
    ),
    **{
        f"OpenVINO {dtype}": Way(
            partial(_by_openvino, dtype=dtype), ("openvino",), partial(_by_openvino, dtype=dtype)
        )
        for dtype in ("float32", "bfloat16")
    },
    **{
        f"OpenVINO int8, {what} by NNCF": Way(
            partial(_by_nncf, name=what),
            ("openvino", "nncf"),
            partial(_write_nncf, name=what, compress=compress),
            int8=True,
        )
        for what, compress in (("weights", _only_weights), ("calibrated", _calibrated))
    },
}


def installed(ways: Mapping[str, Way]) -> list[str]:
    """Names of those whose packages are here. Of each other one it says what is lacking."""
    names = []
    for name, way in ways.items():
        if lacking := [package for package in way.needs if find_spec(package) is None]:
            print(f"{name}: not installed: {', '.join(lacking)}")
        else:
            names.append(name)
    return names
