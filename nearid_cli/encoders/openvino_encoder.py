"""A checkpoint run by OpenVINO on a CPU: its model converted from torch, and the encoder of the converted model.

OpenVINO's package brings another, by which it reports its use to its makers. Nothing here lets it do so: the package is
imported as if that one were not there, and models are converted by the frontend, which reports nothing.
"""

from __future__ import annotations

import errno
import functools
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nearid_cli.encoders.checkpoint_encoder import CheckpointEncoder
from nearid_cli.encoders.checkpoints import find_preprocessing
from nearid_cli.encoders.files import CheckpointFiles
from nearid_cli.encoders.kept_models import WEIGHTS, openvino_version
from nearid_cli.encoders.libraries import out_of_memory, quiet_transformers
from nearid_cli.encoders.mapped import MappedFile
from nearid_cli.encoders.spec import EncoderSpec, EngineError
from nearid_cli.images.preprocessing import Preprocessing
from nearid_cli.interrupts import interrupts_held
from nearid_cli.opening import read_regular
from nearid_cli.text import printable, said

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from nearid_cli.encoders.spec import Embeddings, Pixels

_REPORTER = "openvino_telemetry"
_PIECE = 2**20  # bytes
_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


class Graph(NamedTuple):
    """A model of OpenVINO before it is compiled.

    Attributes:
        model: the graph; its weights are in memory, or in `weights`.
        weights: the file of them, which must be there as long as the model is, or what is made of it.
    """

    model: Any
    weights: MappedFile | None = None


class OpenVINOEncoder(CheckpointEncoder):
    """See `nearid_cli.encoders.spec.Encoder`.

    Args:
        spec: what it is.
        files: its checkpoint.
        graph: what it runs, from `converted` or `read`.

    Raises:
        EngineError: it cannot be run, or not in the spec's dtype on this processor.
        RuntimeError: memory ran out.
    """

    def __init__(self, spec: EncoderSpec, files: CheckpointFiles, graph: Graph) -> None:
        super().__init__(spec, files)
        compiled = _compiled(graph, files, spec.dtype)
        self._weights = graph.weights  # some of which may be read where they are
        self._request = compiled.create_infer_request()
        self._together = int(compiled.input(0).shape[0])

    def _embed_alike(self, batch: Sequence[Pixels]) -> Embeddings:
        return self._by_equal_passes(batch, self._together)

    def _pass(self, batch: Sequence[Pixels]) -> Embeddings:
        if isinstance(self._preprocessing, Preprocessing):
            values = self._preprocessing.normalised(batch)
        else:
            values = np.stack(batch)
        try:
            features = self._request.infer({0: values})[0]
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            raise _cannot(self._files.folder, "run", error) from error
        with np.errstate(divide="ignore", invalid="ignore"):  # what is not finite is found by its reader
            rows: Embeddings = features / np.linalg.norm(features, axis=-1, keepdims=True)
        return rows


def converted(model: PreTrainedModel, files: CheckpointFiles, readout: str, together: int) -> Graph:
    """A torch model and its readout as a model of OpenVINO, whose weights are those of the torch model in memory.

    Args:
        model: in float32, on the CPU.
        files: its checkpoint, whose pictures are prepared to one size.
        readout: one of its readouts.
        together: pictures a pass.

    Raises:
        EngineError: it cannot be converted.
        RuntimeError: memory ran out.
    """
    import torch

    from nearid_cli.encoders.numerics import own_numerics
    from nearid_cli.encoders.torch_encoder import ReadModel

    runtime()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    preprocessing = find_preprocessing(files)
    size = preprocessing.picture_size if preprocessing else None
    assert size is not None
    example = torch.linspace(-1, 1, 3 * size[0] * size[1], device="cpu").view(1, 3, *size)
    try:
        with quiet_transformers(), torch.no_grad(), own_numerics(torch.device("cpu")):
            trace: Any = torch.jit.trace
            traced = trace(ReadModel(model, files, readout), example, check_trace=False)
            decoder = TorchScriptPythonDecoder(traced)
            frontend = FrontEndManager().load_by_framework("pytorch")
            graph = frontend.convert(frontend.load(decoder))
        graph.reshape([together, 3, *size])
    except Exception as error:  # whatever torch and OpenVINO say of operations that they do not know
        if out_of_memory(error):
            raise
        raise _cannot(files.folder, "convert", error) from error
    return Graph(graph)


def write(graph: Graph, path: Path) -> None:
    """Write a converted model, float32 as it is: its graph to `path`, its weights beside it.

    Raises:
        OSError: the disk would not take it.
    """
    try:
        runtime().save_model(graph.model, path, compress_to_fp16=False)
        read(path)  # which looks for what is missing: a full disk is not always said
    except RuntimeError as error:
        if not out_of_memory(error):
            _check_room(graph, path)
        raise OSError(errno.EIO, said(error)[:160], str(path)) from error


def _check_room(graph: Graph, path: Path) -> None:
    """Write as much as a model takes, to learn what OpenVINO does not tell: why the disk would not take it.

    Raises:
        OSError: it would not.
    """
    constants = (one for one in graph.model.get_ops() if one.get_type_name() == "Constant")
    room = sum(one.get_byte_size() for one in constants)
    with path.with_name(WEIGHTS).open("wb") as file:
        for start in range(0, room, _PIECE):
            file.write(bytes(min(_PIECE, room - start)))


def read(path: Path) -> Graph:
    """A converted model that was written. Its weights stay in the file, which is mapped.

    Raises:
        RuntimeError: it is none.
        OSError: it cannot be read.
    """
    weights = MappedFile(path.with_name(WEIGHTS))
    tensor = runtime().Tensor(weights.bytes, shared_memory=True)
    return Graph(_core().read_model(model=read_regular(path), weights=tensor), weights)


def _compiled(graph: Graph, files: CheckpointFiles, dtype: str) -> Any:
    """A model, ready to run in `float32` or `bfloat16`; see `OpenVINOEncoder`.

    OpenVINO packs a copy of the weights for the processor, and lets go of none of the file while it does.
    """
    precision = _PRECISIONS[dtype]
    threads = _threads()
    try:
        with graph.weights.read_once() if graph.weights else nullcontext():
            ready = _core().compile_model(
                graph.model,
                "CPU",
                {
                    # Said in every case: of itself OpenVINO computes in bfloat16 on processors that have it.
                    "INFERENCE_PRECISION_HINT": precision,
                    "PERFORMANCE_HINT": "LATENCY",
                    "ENABLE_CPU_PINNING": False,  # processes beside this one would be pinned to the same cores
                    **({"INFERENCE_NUM_THREADS": threads} if threads else {}),
                },
            )
        taken = ready.get_property("INFERENCE_PRECISION_HINT").to_string()
    except Exception as error:  # whatever OpenVINO says of operations that it does not know
        if out_of_memory(error):
            raise
        raise _cannot(files.folder, "run", error) from error
    if taken != precision:
        raise EngineError(
            f"{printable(files.folder)}: OpenVINO computes in {taken} on this processor, not in {dtype}; "
            "choose another --dtype, or --engine torch"
        )
    return ready


@functools.cache
def runtime() -> Any:
    """The package, imported without the one by which it reports its use.

    Raises:
        EngineError: it cannot be imported.
    """
    known = {_REPORTER: sys.modules[_REPORTER]} if _REPORTER in sys.modules else {}
    sys.modules[_REPORTER] = None  # type: ignore[assignment]
    try:
        with interrupts_held():
            import openvino
    except (ImportError, OSError) as error:
        raise EngineError(
            f"OpenVINO {openvino_version()} cannot be imported: {said(error)[:200]}; choose --engine torch"
        ) from error
    finally:
        del sys.modules[_REPORTER]
        sys.modules.update(known)
    return openvino


@functools.cache
def _core() -> Any:
    return runtime().Core()


def _threads() -> int | None:
    """As many as torch takes; None for one a core."""
    if "torch" in sys.modules:
        return int(sys.modules["torch"].get_num_threads())
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) else None


def _cannot(folder: Path, do: str, error: Exception) -> EngineError:
    return EngineError(
        f"{printable(folder)}: OpenVINO {openvino_version()} cannot {do} the model: {said(error)[:300]}; "
        "choose --engine torch"
    )
