"""A detector and a recogniser in the layout of YuNet and SFace, small enough to know what they must find.

They see painted squares as faces: red ones as large (a box of 96 pixels around the cell), green ones as small (24).
A square is one cell of the detector's grid: 32 pixels a side if red, 8 if green. The embedding of a face is a fixed
random projection of the colours of its aligned crop, in 4x4 cells.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

DETECTOR, RECOGNISER = "face_detection_yunet_2023mar.onnx", "face_recognition_sface_2021dec.onnx"
BOX = {"red": 96, "green": 24}
CELL = {"red": 32, "green": 8}
# Eyes, nose and corners of the mouth within the box, as shares of its side from its middle: where SFace wants them.
LANDMARKS = np.array([[-0.16, -0.18], [0.16, -0.18], [0.0, 0.0], [-0.13, 0.18], [0.13, 0.18]])
NUMBERS = 16


def write_face_models(folder: Path, seed: int = 0) -> Path:
    """Save both in a folder, under the names of the real ones."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_detector(), folder / DETECTOR)
    onnx.save(_recogniser(seed), folder / RECOGNISER)
    return folder


def picture(
    size: tuple[int, int] = (512, 512),
    red: tuple[int, int] | None = None,
    green: tuple[int, int] | None = None,
    tint: int = 60,
    scale: int = 1,
) -> Image.Image:
    """A blue picture with squares in cells (column, row); around these it looks different with every `tint`."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    rows, columns = np.mgrid[: size[1], : size[0]]
    pixels[..., 2] = (columns * tint // 13 + rows * tint // 29) % 200 + 55
    for channel, (name, cell) in enumerate({"red": red, "green": green}.items()):
        if cell is not None:
            side = CELL[name]
            at = slice(cell[1] * side, (cell[1] + 1) * side), slice(cell[0] * side, (cell[0] + 1) * side)
            pixels[at] = 0
            pixels[(*at, channel)] = 255
    image = Image.fromarray(pixels)
    return image.resize((size[0] * scale, size[1] * scale), Image.Resampling.NEAREST)


def _detector() -> onnx.ModelProto:
    outputs = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    nodes, weights = [], {}
    colours = {8: "green", 16: None, 32: "red"}
    for stride, colour in colours.items():
        nodes.append(
            helper.make_node(
                "AveragePool", ["input"], [f"mean_{stride}"], kernel_shape=[stride] * 2, strides=[stride] * 2
            )
        )
        for name, channels in outputs.items():
            weight, bias = np.zeros((channels, 3, 1, 1), np.float32), np.zeros(channels, np.float32)
            if name in ("cls", "obj"):
                bias[:] = -0.02
                if (
                    colour is not None
                ):  # of blue, green and red, what is that colour alone; a full square gives 1
                    weight[0, :, 0, 0] = (
                        np.where(np.arange(3) == {"green": 1, "red": 2}[colour], 1.02, -1.02) / 255
                    )
            elif name == "bbox":
                bias[:] = [0.5, 0.5, *[np.log(BOX[colour or "red"] / stride)] * 2]
            else:
                bias[:] = (LANDMARKS * BOX[colour or "red"] / stride + 0.5).ravel()
            weights |= {f"w_{name}_{stride}": weight, f"b_{name}_{stride}": bias}
            weights[f"shape_{channels}"] = np.array([1, -1, channels], np.int64)
            nodes += [
                helper.make_node(
                    "Conv",
                    [f"mean_{stride}", f"w_{name}_{stride}", f"b_{name}_{stride}"],
                    [f"map_{name}_{stride}"],
                    kernel_shape=[1, 1],
                ),
                helper.make_node(
                    "Transpose", [f"map_{name}_{stride}"], [f"last_{name}_{stride}"], perm=[0, 2, 3, 1]
                ),
                helper.make_node(
                    "Reshape", [f"last_{name}_{stride}", f"shape_{channels}"], [f"{name}_{stride}"]
                ),
            ]
    made = [
        helper.make_tensor_value_info(
            f"{name}_{stride}", TensorProto.FLOAT, [1, (640 // stride) ** 2, channels]
        )
        for name, channels in outputs.items()
        for stride in colours
    ]
    return _model(
        nodes, helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 640, 640]), made, weights
    )


def _recogniser(seed: int) -> onnx.ModelProto:
    weights = {"w": np.random.default_rng(seed).standard_normal((48, NUMBERS)).astype(np.float32) / 255}
    nodes = [
        helper.make_node("AveragePool", ["data"], ["cells"], kernel_shape=[28, 28], strides=[28, 28]),
        helper.make_node("Flatten", ["cells"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w"], ["fc1"]),
    ]
    return _model(
        nodes,
        helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 112, 112]),
        [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [1, NUMBERS])],
        weights,
    )


def _model(
    nodes: list[onnx.NodeProto],
    taken: onnx.ValueInfoProto,
    made: list[onnx.ValueInfoProto],
    weights: dict[str, np.ndarray],
) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "tiny", [taken], made, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model
