"""From metrics that were asked for to specs: finding each checkpoint and naming its content exactly.

Runs without torch and transformers, and without the network when the files are here, because a run
whose embeddings are all cached needs nothing more than the fingerprint.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nearid_cli.encoders.files import CheckpointFiles, is_complete, read_files
from nearid_cli.encoders.hub.cache import Notify, cached_snapshot, commit_of, find_snapshot, keep_revision
from nearid_cli.encoders.layout import CONFIG, PREPROCESSOR, PROCESSOR
from nearid_cli.encoders.registry import HUB_ID, SHIPPED, MetricRequest, local_argument, pull_argument
from nearid_cli.encoders.settings import check_patches
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.errors import ModelError, UsageError
from nearid_cli.files import digest_file
from nearid_cli.images.preprocessing import FloatPreprocessing, Preprocessing
from nearid_cli.opening import expanded
from nearid_cli.text import count, did_you_mean, printable

if TYPE_CHECKING:
    from nearid_cli.encoders.hub.failures import HubError, OfflineError

# Part of every fingerprint. Raise it when a change of ours changes embeddings.
EMBEDDING_VERSION = 2
# Of the models that are converted for OpenVINO. Raise it when a change of ours changes what they compute.
CONVERSION_VERSION = 1

SHIPPED_FOLDER = Path(__file__).parents[1] / "nearid_mini"

_SQUARE = (4096, 4096)  # no preprocessing leaves it as it is but one without a resize

HashFile = Callable[[Path], str]


class MissingCheckpointError(ModelError):
    """A checkpoint is not on this machine and cannot be fetched."""


def resolve(
    requests: Sequence[MetricRequest],
    dtype: str,
    hash_file: HashFile | None = None,
    notify: Notify = lambda line: None,
    safetensors_only: bool = False,
    engine: str = "torch",
) -> list[EncoderSpec]:
    """Find the checkpoints of all metrics; fetch those that are neither local nor in the Hub cache.

    Args:
        requests: the metrics.
        dtype: `float32`, `float16` or `bfloat16`, the precision of the forward pass.
        hash_file: digest of a local weight file; give one that remembers, weights are large.
            Files of the Hub cache are named by their commit and not hashed.
        notify: called with one line before something is downloaded.
        safetensors_only: neither fetch nor use weights in torch's pickle format.
        engine: `torch`, `openvino`, or `auto` for OpenVINO where pictures are prepared to one size.

    Returns:
        One spec a request, in the same order.

    Raises:
        UsageError: a readout that the architecture does not have, or a revision of a local folder.
        ModelError: naming every checkpoint that cannot be had or used, and what to do.
    """
    specs: list[EncoderSpec] = []
    problems: list[tuple[MetricRequest, ModelError]] = []
    fetch = Fetcher(notify, safetensors_only)
    for request in requests:
        try:
            specs.append(_resolve(request, dtype, hash_file or digest_file, fetch, safetensors_only, engine))
        except ModelError as error:
            problems.append((request, error))
    if problems:
        raise _all_problems(problems)
    return specs


def locate(request: MetricRequest, notify: Notify = lambda line: None) -> Path | None:
    """The folder of a checkpoint that is on this machine and complete, or None. Never asks the network.

    Args:
        request: the metric.
        notify: called with a line when the Hub cache says another revision than the one that is used.
    """
    folder = local_folder(request)
    if folder is None:
        snapshot = find_snapshot(
            request.checkpoint,
            request.revision,
            lambda snapshot: is_complete(snapshot / request.subfolder, request.text),
            notify,
        )
        return None if snapshot is None else snapshot / request.subfolder
    return folder if is_complete(folder, request.text) else None


def local_folder(request: MetricRequest) -> Path | None:
    """The folder that a checkpoint names, or None for a Hub id. A folder that exists wins over a Hub id."""
    shipped = request.checkpoint == SHIPPED
    folder = SHIPPED_FOLDER if shipped else expanded(request.checkpoint)
    if not folder.is_dir() and HUB_ID.fullmatch(request.checkpoint):
        return None
    if request.revision is not None:
        raise UsageError(
            f'metric "{printable(request.name)}": a revision ({request.revision}) is for a Hub id, '
            f"and {printable(request.checkpoint)} {'ships with nearid-cli' if shipped else 'is a local folder'}"
        )
    return folder


class Fetcher:
    """Fetches Hub repositories: each at most once, and none after the Hub could not be reached.

    Args:
        notify: called with one line before something is downloaded.
        safetensors_only: never fetch weights in torch's pickle format.
    """

    def __init__(self, notify: Notify = lambda line: None, safetensors_only: bool = False) -> None:
        self.notify = notify
        self._safetensors_only = safetensors_only
        self._offline: OfflineError | None = None
        self._outcomes: dict[tuple[str, str | None, str, bool], Path | HubError] = {}

    def __call__(self, request: MetricRequest) -> Path:
        """The checkpoint's folder in the snapshot, downloaded if need be.

        Raises:
            MissingCheckpointError: with the reason.
            ModelError: the repository holds no checkpoint of ours.
        """
        key = (request.checkpoint, request.revision, request.subfolder, request.text)
        if key not in self._outcomes:
            self._outcomes[key] = self._offline or self._download(*key)
        outcome = self._outcomes[key]
        if isinstance(outcome, Path):
            return outcome / request.subfolder
        where = f"{request.checkpoint}@{request.revision}" if request.revision else request.checkpoint
        partly = cached_snapshot(request.checkpoint, request.revision) is not None
        raise MissingCheckpointError(
            f"{printable(where)} is no folder here, is {'only partly' if partly else 'not'} in the Hub cache "
            f"and cannot be fetched: {outcome}"
        ) from outcome

    def _download(self, checkpoint: str, revision: str | None, subfolder: str, text: bool) -> Path | HubError:
        from nearid_cli.encoders.hub.failures import HubError, OfflineError
        from nearid_cli.encoders.hub.fetching import download

        try:
            return download(checkpoint, revision, self.notify, subfolder, self._safetensors_only, text)
        except OfflineError as error:
            self._offline = error
            return error
        except HubError as error:
            return error


def _resolve(
    request: MetricRequest,
    dtype: str,
    hash_file: HashFile,
    fetch: Fetcher,
    safetensors_only: bool,
    engine: str,
) -> EncoderSpec:
    """One metric's spec."""
    if not request.checkpoint:
        from nearid_cli.encoders.descriptors import HOG

        return HOG
    local = local_folder(request)
    folder = local or locate(request, fetch.notify) or fetch(request)
    files = read_files(folder, safetensors_only=safetensors_only, text=request.text)
    if request.image_processor is not None:
        files = replace(files, image_processor=dict(request.image_processor))
    digests: dict[str, str | None] = {**files.digests}
    if local is not None:
        weights = _digests(files, hash_file)
        digests |= weights
        revision = content = _digest({CONFIG: digests[CONFIG], **weights})
    else:
        digests |= {file.name: None for file in files.weights}
        revision = commit_of(folder)
        # The commit names the files, but not which of two forms of the weights was read.
        content = "//".join(filter(None, (revision, request.subfolder, "pickled" if files.pickled else "")))
        keep_revision(request.checkpoint, request.revision, revision)
    readout = _readout(request, files)
    preprocessing = find_preprocessing(files)
    if preprocessing is not None:
        _check_size(request, files, preprocessing)
    if size := _usual_size(files, preprocessing):
        check_patches(size, files.tower, printable(folder))
    one_size = _has_one_size(files, preprocessing, insisted=engine == "openvino")
    by_openvino = one_size and engine != "torch"
    return EncoderSpec(
        name=request.name,
        checkpoint=request.place,
        folder=files.folder.absolute(),
        # What ships with this program has the program's version, which every result names.
        revision=None if request.checkpoint == SHIPPED else revision,
        readout=readout,
        dtype=dtype,
        preprocessing=describe(preprocessing, files),
        fingerprint=_digest(
            {
                "content": content,
                "preprocessing": files.image_processor,
                "readout": readout,
                "dtype": dtype,
                "version": EMBEDDING_VERSION,
                **({"engine": "openvino"} if by_openvino else {}),
            }
        ),
        image_processor=request.image_processor,
        digests=digests,
        engine="openvino" if by_openvino else "",
        converted=_digest([content, readout, size, CONVERSION_VERSION]) if one_size else "",
        fast=False if preprocessing is not None and preprocessing.has_fast_way else None,
    )


def _has_one_size(
    files: CheckpointFiles, preprocessing: Preprocessing | FloatPreprocessing | None, insisted: bool
) -> bool:
    """Whether all pictures are prepared to one size that is known before, for which a model can be converted.

    Raises:
        ModelError: they are not, and OpenVINO was asked for.
    """
    if preprocessing is not None and preprocessing.picture_size is not None:
        return True
    if insisted:
        raise ModelError(
            f"--engine openvino needs pictures of one size, and {printable(files.folder)} prepares them by "
            f"{describe(preprocessing, files)}; choose --engine torch"
        )
    return False


def find_preprocessing(files: CheckpointFiles) -> Preprocessing | FloatPreprocessing | None:
    """What prepares pictures for a checkpoint; None for transformers' own image processor."""
    return Preprocessing.from_config(
        files.image_processor, files.model_type
    ) or FloatPreprocessing.from_config(files.image_processor, files.model_type)


def _check_size(
    request: MetricRequest, files: CheckpointFiles, preprocessing: Preprocessing | FloatPreprocessing
) -> None:
    """Refuse preprocessing that does not end in pictures of the size that the model takes."""
    found, wanted = preprocessing.picture_size, files.picture_size
    if wanted is None or (found is not None and files.takes(found)):
        return
    if request.image_processor is not None:
        source = f"metric {printable(request.name)}"
    else:
        name = next(name for name in (PREPROCESSOR, PROCESSOR) if (files.folder / name).is_file())
        source = printable(files.folder / name)
    if found is None:
        width, height = preprocessing.resized((640, 480))
        left = f"pictures of many sizes, such as {_size((height, width))} of one with 640x480 px"
    else:
        left = f"pictures of {_size(found)}"
    raise ModelError(
        f"{source} makes {left}, and the model takes {_size(wanted)} only (image_size in {CONFIG}): "
        "give it the preprocessor_config.json of the model that it was made from"
    )


def _usual_size(
    files: CheckpointFiles, preprocessing: Preprocessing | FloatPreprocessing | None
) -> tuple[int, int] | None:
    """Height and width of prepared pictures, of square ones where they differ; None where nothing tells."""
    if fixed := (preprocessing and preprocessing.picture_size) or files.picture_size:
        return fixed
    if preprocessing is None or (square := preprocessing.resized(_SQUARE)) == _SQUARE:
        return None
    return square


def _size(size: tuple[int, int]) -> str:
    """Height and width as people say a picture's size: width first.

    >>> _size((480, 640))
    '640x480 px'
    """
    return f"{size[1]}x{size[0]} px"


def describe(preprocessing: Preprocessing | FloatPreprocessing | None, files: CheckpointFiles) -> str:
    """The preprocessing in one line; None is transformers' own."""
    if preprocessing is not None:
        return preprocessing.describe()
    kind = files.image_processor.get("image_processor_type") or files.model_type
    return f"transformers' {printable(str(kind)[:80])}"


def _readout(request: MetricRequest, files: CheckpointFiles) -> str:
    """The readout that was asked for, or the architecture's first."""
    readouts = files.readouts
    readout = request.readout or readouts[0]
    if readout not in readouts:
        raise UsageError(
            f'metric "{printable(request.name)}": {files.model_type} checkpoints have no readout {readout}: '
            f"{did_you_mean(readout, readouts)}"
        )
    return readout


def _digests(files: CheckpointFiles, hash_file: HashFile) -> dict[str, str]:
    """The digests of the weight files in a local folder, by name."""
    try:
        return {file.name: hash_file(file) for file in files.weights}
    except OSError as error:
        raise ModelError(f"cannot read the weights in {printable(files.folder)}: {error.strerror}") from error


def _digest(content: object) -> str:
    """BLAKE3 of canonical JSON, in hex."""
    from blake3 import blake3

    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return blake3(text.encode()).hexdigest()


def _all_problems(problems: Sequence[tuple[MetricRequest, ModelError]]) -> ModelError:
    """One error for all checkpoints that cannot be used."""
    names = ", ".join(printable(request.name) for request, _ in problems)
    details = [f"{printable(request.name)}: {error.message}" for request, error in problems]
    missing = [request for request, error in problems if isinstance(error, MissingCheckpointError)]
    if missing:
        pull = " ".join(dict.fromkeys(map(pull_argument, missing)))
        details += [
            f"to fetch, where there is network: nearid models pull {pull}",
            f"to use a local copy: --metric {local_argument(missing[0])}",
        ]
        if any(request.name == "nearid" for request in missing):
            details.append("for a smoke check, not for papers: --metric nearid-mini works offline")
    verb = "not here" if len(missing) == len(problems) else "not usable"
    error_type = MissingCheckpointError if len(missing) == len(problems) else ModelError
    return error_type(
        f"{count(len(problems), 'checkpoint')} {'is' if len(problems) == 1 else 'are'} {verb}: {names}",
        details,
    )
