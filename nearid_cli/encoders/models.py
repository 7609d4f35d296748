"""What `nearid models list | info | pull | verify` do, as functions that return what to show."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nearid_cli.activity import doing
from nearid_cli.encoders.architectures import TEXT
from nearid_cli.encoders.checkpoints import (
    Fetcher,
    HashFile,
    MissingCheckpointError,
    local_folder,
    locate,
    resolve,
)
from nearid_cli.encoders.files import read_files
from nearid_cli.encoders.hub.cache import Notify, digest_as_hub, is_digest
from nearid_cli.encoders.kept_models import KeptModels
from nearid_cli.encoders.layout import select
from nearid_cli.encoders.making import make, metric_class
from nearid_cli.encoders.plugged import plugin_fingerprint
from nearid_cli.encoders.registry import (
    SHIPPED,
    MetricRequest,
    installed_metrics,
    known_metrics,
    parse_metrics,
)
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.encoders.text import text_spec
from nearid_cli.errors import ModelError, NearIDError, UsageError
from nearid_cli.files import default_cache_folder, digest_file
from nearid_cli.options import Options
from nearid_cli.plugins import AnyMetric
from nearid_cli.text import count, printable


@dataclass(frozen=True)
class ModelRow:
    """A metric and where its checkpoint is.

    Attributes:
        metric: the metric's name.
        checkpoint: Hub id, local folder or `SHIPPED`; `""` for an encoder without weights.
        readout: None for what the architecture suggests.
        note: one line about it.
        folder: where the checkpoint lies, or None when it is not here (or needs none).
        size: bytes of the files that are read, or None without a folder.
    """

    metric: str
    checkpoint: str
    readout: str | None
    note: str
    folder: Path | None
    size: int | None

    @property
    def is_shipped(self) -> bool:
        """Whether the checkpoint is part of this package."""
        return self.checkpoint == SHIPPED

    @property
    def is_here(self) -> bool:
        """Whether the metric runs without the network."""
        return self.folder is not None or not self.checkpoint


@dataclass(frozen=True)
class FileCheck:
    """One file of a checkpoint after hashing.

    Attributes:
        path: the file.
        algorithm: of the digest: `sha256` or `git-sha1` for the Hub cache, `blake3` for local folders.
        digest: what the file's content gives, hex.
        expected: what it should give, or None where nothing tells.
    """

    path: Path
    algorithm: str
    digest: str
    expected: str | None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def damaged(self) -> bool:
        """Whether the content is not what was downloaded."""
        return self.expected is not None and self.digest != self.expected


@dataclass(frozen=True)
class Verification:
    """A checkpoint after `verify`: its spec and its files."""

    spec: EncoderSpec
    files: tuple[FileCheck, ...]

    @property
    def damaged(self) -> tuple[FileCheck, ...]:
        """The files whose content is not what was downloaded."""
        return tuple(file for file in self.files if file.damaged)


def available(configured: Mapping[str, object] | None = None) -> list[ModelRow]:
    """All named metrics, and where their checkpoints are. Never asks the network.

    One whose class cannot be had, or does not know its files, says so in its note.
    """
    named = known_metrics(configured)
    brought = [request for name, request in installed_metrics().items() if name not in named]
    return [_row_or_why_not(request) for request in (*named.values(), *brought)]


def info(name: str, configured: Mapping[str, object] | None = None) -> tuple[ModelRow, EncoderSpec | None]:
    """A metric, and its spec (revision, preprocessing, fingerprint) when its checkpoint is here.

    Args:
        name: as for `--metric`.
        configured: metrics of the configuration.

    Raises:
        UsageError: the metric is unknown.
        ModelError: the checkpoint is here and cannot be used.
    """
    request = _one(name, configured)
    row = _row(request)
    if _own_class(request):
        return row, _made(request)[1] if row.is_here else None
    return row, _spec(request) if row.is_here else None


def pull(
    names: Sequence[str],
    configured: Mapping[str, object] | None = None,
    notify: Notify = lambda line: None,
    safetensors_only: bool = False,
    convert_in: Path | None = None,
) -> list[ModelRow]:
    """Fetch the checkpoints of metrics into the Hub cache. A branch is brought up to date.

    Args:
        names: as for `--metric`.
        configured: metrics of the configuration.
        notify: called with one line before each download.
        safetensors_only: refuse weights in torch's pickle format.
        convert_in: the cache's folder, in which checkpoints are kept as OpenVINO runs them; None to convert none.

    Returns:
        One row a metric, all of them here now.

    Raises:
        UsageError: an unknown metric.
        ModelError: naming all that failed. Those that could be fetched, or converted, are here nevertheless.
    """
    fetch = Fetcher(notify, safetensors_only)
    requests = parse_metrics(names, configured)
    failures: list[str] = []
    for request in requests:
        try:
            if own := _own_class(request):
                own.pull(request.place, request.revision, notify)
            elif request.checkpoint:
                read_files(
                    local_folder(request) or _newest(request, fetch, notify),
                    safetensors_only=safetensors_only,
                    text=request.text,
                )
        except ModelError as error:
            failures.append(f"{printable(request.name)}: {error.message}")
    if failures:
        raise ModelError(
            f"{len(failures)} of {count(len(requests), 'checkpoint')} could not be fetched", failures
        )
    if convert_in is not None:
        _convert(requests, convert_in, safetensors_only)
    return [_row(request) for request in requests]


def _convert(requests: Sequence[MetricRequest], cache: Path, safetensors_only: bool) -> None:
    """Keep checkpoints as OpenVINO runs them, those that are not kept yet.

    Raises:
        ModelError: naming all that failed.
    """
    from nearid_cli.encoders.load import load_encoder

    ours = [request for request in requests if request.checkpoint and not _own_class(request)]
    failures: list[str] = []
    for request in ours:
        try:
            (spec,) = resolve([request], "float32", safetensors_only=safetensors_only, engine="openvino")
        except ModelError as error:
            failures += error.details  # which name it
            continue
        try:
            with doing(f"converting {request.name}", at_once=True):
                load_encoder(spec, cache=cache)
            if not KeptModels(cache).has(spec.converted):
                failures.append(
                    f"{printable(request.name)}: it runs, and cannot be kept in {printable(cache)}"
                )
        except ModelError as error:
            failures += [f"{printable(request.name)}: {error.message}", *error.details]
    if failures:
        raise ModelError(
            f"not all of {count(len(ours), 'checkpoint')} could be converted for OpenVINO", failures
        )


def verify(
    name: str,
    configured: Mapping[str, object] | None = None,
    hash_file: HashFile | None = None,
    safetensors_only: bool = False,
    cache: Path | None = None,
) -> Verification:
    """Hash a checkpoint's files again, and check that its weights are complete and finite.

    Files in the Hub cache are named by the digest that the Hub gave, so damage shows. A local
    folder has no such record: its digests are returned for comparison with another copy's. The model that was
    converted for OpenVINO, if there is one, has its digest in its name.

    Args:
        name: as for `--metric`.
        configured: metrics of the configuration.
        hash_file: digest of a file; by default it is read.
        safetensors_only: refuse weights in torch's pickle format.
        cache: the cache's folder; None for the default one.

    Raises:
        UsageError: the metric is unknown.
        ModelError: the checkpoint is not here, or its weights cannot be used. Not raised for
            weights when files are damaged, because that is the finding.
    """
    from nearid_cli.encoders.load import load_model

    request = _one(name, configured)
    if own := _own_class(request):
        return _verify_own(request, own)
    if request.checkpoint and locate(request) is None and local_folder(request) is None:
        raise ModelError(
            f"{printable(request.checkpoint)} is not here; fetch it: nearid models pull {printable(name)}"
        )
    spec = _spec(request, hash_file, safetensors_only)
    if spec.folder is None:
        return Verification(spec, ())
    is_local = local_folder(request) is not None
    checks = tuple(
        _check_local(file, spec.digests.get(file.name)) if is_local else _check_blob(file)
        for file in _read(spec.folder, request.text)
    )
    verification = Verification(spec, checks)
    if not verification.damaged:
        files = read_files(spec.folder)
        for part in (spec.readout, *((TEXT,) if request.text else ())):
            load_model(files, part, spec.dtype)
    # One that is damaged is said and deleted when it is looked for.
    if spec.converted and (graph := KeptModels(cache or default_cache_folder()).find(spec.converted)):
        digest = graph.parent.name.rpartition("-")[2]
        checks = (*checks, FileCheck(graph, "blake3", digest, digest))
    return replace(verification, files=checks)


def _newest(request: MetricRequest, fetch: Fetcher, notify: Notify) -> Path:
    """The checkpoint as the Hub has it now, or as it is here when the Hub does not say."""
    try:
        return fetch(request)
    except MissingCheckpointError as error:
        here = locate(request)
        if here is None:
            raise
        notify(f"{printable(request.name)} is here and stays as it is: {error.__cause__}")
        return here


def _one(name: str, configured: Mapping[str, object] | None) -> MetricRequest:
    requests = parse_metrics([name], configured)
    if len(requests) != 1:
        raise UsageError(f"expected one metric, found {len(requests)}: {printable(name)}")
    return requests[0]


def _spec(
    request: MetricRequest, hash_file: HashFile | None = None, safetensors_only: bool = False
) -> EncoderSpec:
    spec = resolve([request], "float32", hash_file, safetensors_only=safetensors_only)[0]
    return text_spec(spec) if request.text else spec


def _own_class(request: MetricRequest) -> type[AnyMetric] | None:
    """The class of a metric that knows its files itself; None where they are a checkpoint of ours."""
    return metric_class(request) if request.plugin and not request.text else None


def _made(request: MetricRequest) -> tuple[AnyMetric, EncoderSpec]:
    """Such a metric with its usual options, and what it is, as an encoder's spec says it."""
    metric = make(request, Options())
    return metric, EncoderSpec(
        name=request.name,
        checkpoint=metric.checkpoint,
        folder=None,
        revision=metric.revision,
        readout="none",
        dtype=metric.dtype,
        preprocessing=metric.preprocessing or "none",
        fingerprint=plugin_fingerprint(request.name, metric, metric.settings),
    )


def _verify_own(request: MetricRequest, own: type[AnyMetric]) -> Verification:
    """Hash the files of a metric that knows them itself, and load it."""
    files = own.files(request.place, request.revision)
    if files is None:
        raise ModelError(
            f"the files of {printable(request.name)} are not here; fetch them: "
            f"nearid models pull {printable(request.name)}"
        )
    checks = tuple(
        _check_blob(file) if is_digest(file.resolve().name) else _check_local(file) for file in files
    )
    metric, spec = _made(request)
    verification = Verification(spec, checks)
    if files and not verification.damaged:
        metric.load("cpu")
    return verification


def _row_or_why_not(request: MetricRequest) -> ModelRow:
    try:
        return _row(request)
    except NearIDError as error:
        if not request.plugin:
            raise
        return ModelRow(request.name, request.checkpoint or "unknown", None, error.message, None, None)


def _row(request: MetricRequest) -> ModelRow:
    if own := _own_class(request):
        return _row_of_own(request, own)
    folder = locate(request) if request.checkpoint else None
    size = sum(file.stat().st_size for file in _read(folder, request.text)) if folder is not None else None
    return ModelRow(request.name, request.checkpoint, request.readout, request.note, folder, size)


def _row_of_own(request: MetricRequest, own: type[AnyMetric]) -> ModelRow:
    files = own.files(request.place, request.revision)
    folder = Path(os.path.commonpath([file.parent for file in files])) if files else None
    size = sum(file.stat().st_size for file in files) if files else None
    here = files is not None and folder is None
    # What has no files of its own, such as a model behind an endpoint, can be used wherever nearid runs.
    checkpoint = "" if here else request.checkpoint
    return ModelRow(request.name, checkpoint, None, request.note, folder, size)


def _read(folder: Path, text: bool) -> list[Path]:
    """The files of a checkpoint that an encoder, with `text` of texts, too, reads."""
    names = sorted(file.name for file in folder.iterdir() if file.is_file())
    return [folder / name for name in select(names, text=text)]


def _check_blob(file: Path) -> FileCheck:
    """Hash a file of the Hub cache as the Hub does: SHA-256 for large files, git's blob SHA-1 for others."""
    blob = file.resolve()
    known = blob.name if is_digest(blob.name) else None
    algorithm = "git-sha1" if known and len(known) == 40 else "sha256"
    return FileCheck(file, algorithm, digest_as_hub(blob, blob.name), known)


def _check_local(file: Path, digest: str | None = None) -> FileCheck:
    """A file that nothing tells the digest of; its own where it is known already."""
    return FileCheck(file, "blake3", digest or digest_file(file), None)
