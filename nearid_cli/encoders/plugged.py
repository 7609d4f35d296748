"""Plug-ins as encoders: what one is known by, what it may give, and its errors as one line each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from nearid_cli.encoders.libraries import out_of_memory
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.errors import ModelError, NearIDError, UsageError
from nearid_cli.files import digest_file, files_below
from nearid_cli.plugins import EmbeddingMetric, PairwiseMetric
from nearid_cli.text import printable, said

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

    from nearid_cli.encoders.spec import Embeddings, Pixels
    from nearid_cli.plugins import AnyMetric

Answer = TypeVar("Answer")

FOREIGN = (Exception, SystemExit)
"""What somebody else's code may raise: a library that ends Python would end a run without a word."""

_LONGEST = 300  # characters that one line quotes of what somebody else's code says


def spec_of(
    name: str,
    metric: EmbeddingMetric,
    settings: Mapping[str, Any] | None = None,
    hash_file: Callable[[Path], str] = digest_file,
) -> EncoderSpec:
    """What a plug-in is as an encoder.

    Args:
        name: the metric's name, a key in results.
        metric: made, and not loaded.
        settings: the keywords that it was made with.
        hash_file: digest of a file that a setting names.

    Raises:
        UsageError: it does not say its version, or says another range or direction than cosines have.
        ModelError: a file that a setting names cannot be read.
    """
    if tuple(metric.range) != EmbeddingMetric.range or not metric.higher_is_better:
        raise UsageError(
            f'metric "{printable(name)}": scores of an EmbeddingMetric are cosines, from -1 to 1, and more is better; '
            f"of another range or direction are those of the other kinds; {class_of(metric)} says otherwise"
        )
    return EncoderSpec(
        name=name,
        checkpoint=metric.checkpoint,
        folder=None,
        revision=metric.revision,
        readout="embedding",
        dtype=metric.dtype,
        preprocessing=metric.preprocessing,
        fingerprint=plugin_fingerprint(name, metric, settings, hash_file),
        absent=metric.absent or EmbeddingMetric.absent,
        plugin=metric,
    )


def plugin_fingerprint(
    name: str,
    metric: AnyMetric,
    settings: Mapping[str, Any] | None = None,
    hash_file: Callable[[Path], str] = digest_file,
) -> str:
    """Hex digest of what decides a plug-in's numbers besides the pictures.

    That is its class, version, settings, checkpoint, revision, preprocessing and dtype. Where a setting or the
    checkpoint names a file or a folder here, its content counts in place of the name: other weights under the same name
    give other numbers, and the same ones elsewhere the same. A checkpoint here that says its revision is known by that.
    That a metric is symmetric counts, too: its numbers of one direction stand for both.
    One that is not known by settings is known by its class, version, name, range and direction.

    Args, Raises: as for `spec_of`.
    """
    from blake3 import blake3

    if not getattr(metric, "version", ""):
        raise UsageError(
            f'metric "{printable(name)}": {class_of(metric)} has no version, by which cached numbers are known; '
            'give it one, such as version = "mine/1"'
        )
    try:
        known = {key: _with_content(value, hash_file) for key, value in (settings or {}).items()}
        checkpoint = metric.checkpoint
        if os.path.exists(checkpoint):  # noqa: PTH110 - an empty text is none
            checkpoint = "" if metric.revision else _with_content(checkpoint, hash_file)
    except OSError as error:
        raise ModelError(
            f'metric "{printable(name)}": cannot read {printable(str(error.filename))}: {error.strerror}'
        ) from error
    content: dict[str, Any] = {"plugin": class_of(metric), "version": metric.version} | (
        {
            "settings": known,
            "checkpoint": checkpoint,
            "revision": metric.revision,
            "preprocessing": metric.preprocessing,
            "dtype": metric.dtype,
        }
        if metric.known_by_settings
        else {"name": name, "range": metric.range, "higher_is_better": metric.higher_is_better}
    )
    if isinstance(metric, PairwiseMetric) and metric.symmetric:
        content["symmetric"] = True  # numbers of one direction stand for both
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return blake3(text.encode()).hexdigest()


def _with_content(value: Any, hash_file: Callable[[Path], str]) -> Any:
    """A setting, and in place of what names a file or a folder the digest of it."""
    if isinstance(value, Mapping):
        return {str(key): _with_content(one, hash_file) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_content(one, hash_file) for one in value]
    if not isinstance(value, (str, Path)) or not value:
        return value
    path = Path(os.path.expanduser(value))  # noqa: PTH111 - a text that begins with a tilde need not be a path
    if os.path.isfile(path):  # noqa: PTH113 - nor is every text short enough for one
        return {"file": hash_file(path)}
    if os.path.isdir(path):  # noqa: PTH112
        return {"folder": {str(file.relative_to(path)): hash_file(file) for file in files_below(path)}}
    return str(value)


def class_of(metric: AnyMetric) -> str:
    """A plug-in's class, as one would name it to plug it in."""
    return f"{type(metric).__module__}:{type(metric).__qualname__}"


def plugin_failure(name: str, metric: AnyMetric, step: str, error: BaseException, of: str = "") -> ModelError:
    """An exception of somebody else's code as one line, to be raised from that exception.

    Args:
        name: the metric's name.
        metric: whose code it is.
        step: what failed: the name of a method.
        error: what it raised.
        of: the picture or the prompt that it was given, where it was one.
    """
    where = f'metric "{printable(name)}": {class_of(metric)}.{step}'
    if isinstance(error, ModuleNotFoundError) and error.name:
        return ModelError(f"{where} needs the package {printable(error.name)}, which is not installed")
    text = said(error)
    what = f"failed for {printable(of)}" if of else "failed"
    return ModelError(f"{where} {what}: {text if len(text) <= _LONGEST else text[:_LONGEST] + '...'}")


def ask(name: str, metric: AnyMetric, step: str, call: Callable[[], Answer], of: str = "") -> Answer:
    """Run somebody else's code, whose exceptions become one line.

    Args:
        name: as for `plugin_failure`, like all but the call.
        metric: likewise.
        step: likewise.
        call: runs it.
        of: likewise.

    Raises:
        ModelError: it raised.
        NearIDError: what it raised was one.
    """
    try:
        return call()
    except NearIDError:
        raise
    except FOREIGN as error:
        raise plugin_failure(name, metric, step, error, of) from error


class PluggedEncoder:
    """See `nearid_cli.encoders.spec.Encoder`. Made, it is loaded.

    Args:
        spec: with a plug-in.
        device: a torch device (`cpu`, `cuda`, `cuda:1`, `mps`).

    Raises:
        ModelError: the plug-in cannot be loaded.
    """

    def __init__(self, spec: EncoderSpec, device: str) -> None:
        assert spec.plugin is not None
        self._spec = spec
        self._metric = spec.plugin
        self._dimension: int | None = None
        ask(spec.name, self._metric, "load", lambda: self._metric.load(device))

    @property
    def spec(self) -> EncoderSpec:
        """What this encoder is."""
        return self._spec

    @property
    def preparation(self) -> Hashable:
        """Shared with no other encoder."""
        return self._spec.fingerprint

    def takes_half(self, size: tuple[int, int]) -> bool:
        """Never: what the plug-in does of a picture nobody knows."""
        return False

    def prepare(self, image: Image.Image) -> Pixels | None:
        """An RGB picture as the plug-in wants it; None if it shows nothing to embed.

        Raises:
            ModelError: the plug-in raised.
        """
        return ask(self._spec.name, self._metric, "prepare", lambda: self._metric.prepare(image))

    def embed(self, batch: Sequence[Pixels]) -> Embeddings:
        """Embed prepared pictures; see `nearid_cli.encoders.spec.Encoder`.

        Raises:
            ModelError: the plug-in raised, or what it gave is no [len(batch), D] of real numbers, or of another D than
                before.
        """
        try:
            given = self._metric.embed(batch)
            found = np.asarray(given)
        except NearIDError:
            raise
        except FOREIGN as error:
            if out_of_memory(error):
                raise  # fewer pictures at once may do
            raise plugin_failure(self._spec.name, self._metric, "embed", error) from error
        if found.dtype.kind not in "fiu" or found.ndim != 2 or len(found) != len(batch) or not found.shape[1]:
            raise self._unexpected(f"an array of numbers [{len(batch)}, D]", given, found)
        if self._dimension not in (None, found.shape[1]):
            raise self._unexpected(f"[{len(batch)}, {self._dimension}] as before", given, found)
        self._dimension = found.shape[1]
        return unit_rows(found)

    def _unexpected(self, expected: str, given: object, found: npt.NDArray[Any]) -> ModelError:
        return ModelError(
            f'metric "{printable(self._spec.name)}": expected {expected} from {class_of(self._metric)}.embed, '
            f"found {type(given).__name__} of shape {list(found.shape)} and dtype {found.dtype}"
        )


def unit_rows(rows: npt.NDArray[Any]) -> Embeddings:
    """Rows [N, D] scaled to L2 norm 1, as float32. A row that is not finite, or zero, becomes NaN.

    >>> unit_rows(np.array([[3, 4], [0, 0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [nan, nan]]
    """
    values = rows.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        values /= np.abs(values).max(
            axis=1, keepdims=True
        )  # else squares of the largest and smallest are lost
        scaled: Embeddings = (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)
    return scaled
