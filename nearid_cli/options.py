"""What people may ask for: the options that commands, Python functions, environment and configuration share.

Each is declared here once, as a field of a dataclass. The `Flag` in its annotation says how people give it: from that
the command line makes its flag with help and completion, the environment its `NEARID_*` and the configuration its
key; the Python functions take the field itself.
"""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypedDict

from nearid_cli.errors import UsageError
from nearid_cli.flags import (
    COLOR_PROFILES,
    DEFAULT_METRICS,
    DEVICES,
    DTYPES,
    ENGINES,
    LATENTS,
    MASK_FILLS,
    MASK_KEEPS,
    MASK_SOURCES,
    MOST_DIGITS,
    PAIRS,
    PREPROCESSINGS,
    SIXTEEN_BIT,
    CacheFolder,
    Flag,
    FollowSymlinks,
    Metrics,
    SafetensorsOnly,
    SkipBad,
    TrustCache,
    Verbose,
)
from nearid_cli.text import printable, shown


def _batch_size(value: str) -> int | None:
    if value == "auto":
        return None
    if not value.isdecimal() or len(value) > MOST_DIGITS or int(value) < 1:
        raise UsageError(f"--batch-size must be auto or a positive number, found {shown(value)}")
    return int(value)


_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def _memory(value: str) -> int | None:
    """Bytes, as people write them.

    >>> _memory("1.5GB"), _memory("500 MiB"), _memory("auto")
    (1500000000, 524288000, None)
    """
    if value.casefold() == "auto":
        return None
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([KMGT]?)(i?)B?", value.strip(), re.IGNORECASE)
    size = int(float(match[1]) * (1024 if match[3] else 1000) ** _UNITS[match[2].upper()]) if match else 0
    if not size:
        raise UsageError(f"--memory must be auto or a size such as 4GB or 500MB, found {printable(value)!r}")
    return size


def _several(values: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(values or ())


@dataclass(frozen=True)
class Options:
    """Which metrics, and how pictures are embedded.

    Attributes:
        metrics: as in `--metric`: names, `NAME=PATH_OR_ID`, paths, Hub ids, comma lists.
        configured: the user's own metrics, name -> {checkpoint, readout, revision}, {scores, column, ...}, or {plugin}
            and its settings.
        scores: numbers that something else computed, by the name of their metric, which is one more: a file, several
            files, rows as mappings or a data frame, or numbers by path.
        directions: which of these are better, by metric: `higher` or `lower`.
        cache: the cache's folder, or its URL as text; None for the default place.
        use_cache: False to neither read nor keep embeddings.
        trust_cache: use what other users put into the cache, too.
        verify_content: read pictures and checkpoints again instead of trusting sizes and times.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`; for pictures also several GPUs, as `cuda:0,cuda:1`, or `all`.
        dtype: `auto` (float16 on CUDA, else float32), `float32`, `float16` or `bfloat16`.
        engine: what runs checkpoints: `torch`, `openvino`, or `auto`, which is OpenVINO on a CPU where it is installed,
            and torch elsewhere; `ray` is torch on the nodes of a Ray cluster.
        batch_size: pictures a forward pass; None for the device's default.
        workers: decoding threads; None for one a core.
        max_pixels: pictures with more pixels are bad; None for the default limit.
        memory: bytes that decoding pictures may take at a time, in all threads of this process together; None for a
            quarter of what is free, or as it was set before.
        color_profile: `ignore` colour profiles in pictures, or `convert` to sRGB by them.
        sixteen_bit: `scale` grey levels of 16 bits to 8, or `clip` them at 255.
        preprocessing: `exact`, to the bit what transformers does with Pillow, or `fast`, nearly the same sooner.
        safetensors_only: refuse checkpoints whose weights are in torch's pickle format.
        pairs: which pairs metrics compute that go pair by pair: `own`, of each subject, or `all`, for a floor,
            retention and identification.
        judge_url: address of the endpoint that the metric `judge` asks, as far as `/v1`.
        judge_template: file with another rubric for it; None for ours.
        judge_max_failures: share of its pairs without a score that a run goes on with.
        judge_log: file that each of its answers is added to; None for none.
        judge_parallel: requests to it at a time.
        judge_timeout: seconds that one of its answers may take.
        face_index: which face of a picture the metric `face` takes, by size; 0 is the largest.
        strip_token: placeholders that are taken out of prompts before CLIP-T reads them.
        vsm_latent: what `vsm` takes of the VAE's posterior: a `sample`, seeded by the picture, or the `mean`.
        progress: show progress bars on stderr.
    """

    metrics: Metrics = DEFAULT_METRICS
    configured: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    directions: Mapping[str, str] = field(default_factory=dict)
    cache: CacheFolder = None
    use_cache: Annotated[
        bool,
        Flag(
            "Neither read nor keep embeddings.",
            name="no-cache",
            kind=bool,
            default=False,
            read=operator.not_,
            shared=True,
        ),
    ] = True
    trust_cache: TrustCache = False
    verify_content: Annotated[
        bool, Flag("Read pictures and checkpoints again instead of trusting sizes and times.", shared=True)
    ] = False
    device: Annotated[
        str,
        Flag(
            "auto, cpu, cuda, cuda:N or mps; several GPUs as cuda:0,cuda:1, or all of them.",
            "DEVICE",
            words=DEVICES,
            shared=True,
        ),
    ] = "auto"
    dtype: Annotated[
        str,
        Flag(
            "auto (float16 on CUDA, else float32), float32, float16 or bfloat16.",
            "DTYPE",
            words=DTYPES,
            shared=True,
        ),
    ] = "auto"
    engine: Annotated[
        str,
        Flag(
            "What runs checkpoints: auto (OpenVINO on a CPU where it is installed, else torch), torch, openvino, or "
            "ray (torch on the nodes of a Ray cluster).",
            "ENGINE",
            words=ENGINES,
            shared=True,
        ),
    ] = "auto"
    batch_size: Annotated[
        int | None,
        Flag(
            "Pictures a forward pass: auto or a number.",
            "N",
            kind=str,
            default="auto",
            read=_batch_size,
            shared=True,
        ),
    ] = None
    workers: Annotated[
        int | None, Flag("Decoding threads; one a core by default.", "N", low=1, shared=True)
    ] = None
    max_pixels: Annotated[
        int | None,
        Flag("Largest picture to open, in pixels; 178 million by default.", "N", low=1, shared=True),
    ] = None
    memory: Annotated[
        int | None,
        Flag(
            "What decoding pictures may take, such as 4GB or 500MB; auto: a quarter of what is free.",
            "SIZE",
            kind=str,
            default="auto",
            read=_memory,
            shared=True,
        ),
    ] = None
    color_profile: Annotated[
        str,
        Flag(
            "Colour profiles in pictures: ignore, as published computations do, or convert to sRGB.",
            "|".join(COLOR_PROFILES),
            words=COLOR_PROFILES,
            shared=True,
        ),
    ] = "ignore"
    sixteen_bit: Annotated[
        str,
        Flag(
            "Grey levels of 16 bits: scale to 8, or clip at 255, as published computations do.",
            "|".join(SIXTEEN_BIT),
            words=SIXTEEN_BIT,
            shared=True,
        ),
    ] = "scale"
    preprocessing: Annotated[
        str,
        Flag(
            "How pictures are made as small as encoders take them: exact, to the bit as transformers does it, or fast, "
            "nearly the same sooner.",
            "|".join(PREPROCESSINGS),
            words=PREPROCESSINGS,
            shared=True,
        ),
    ] = "exact"
    safetensors_only: SafetensorsOnly = False
    pairs: Annotated[
        str,
        Flag(
            "What metrics that go pair by pair compute: the pairs of each subject (own), or of all subjects (all), "
            "which a floor, retention and identification need.",
            "|".join(PAIRS),
            words=PAIRS,
            shared=True,
        ),
    ] = "own"
    judge_url: Annotated[
        str | None,
        Flag(
            "Endpoint of the metric judge, such as http://127.0.0.1:8000/v1. Pictures are sent to it.",
            "URL",
            shared=True,
        ),
    ] = None
    judge_template: Annotated[
        str | os.PathLike[str] | None,
        Flag(
            "Text file with another rubric for judge; its first line may be `scale: 0-4`.",
            "FILE",
            kind=Path | None,
            shared=True,
        ),
    ] = None
    judge_max_failures: Annotated[
        float,
        Flag(
            "Share of the pairs that judge may leave without a score; more stop the run.",
            "SHARE",
            low=0,
            high=1,
            shared=True,
        ),
    ] = 0.05
    judge_log: Annotated[
        str | os.PathLike[str] | None,
        Flag(
            "Add every answer of judge to this file, a line of JSON each.",
            "FILE",
            kind=Path | None,
            shared=True,
        ),
    ] = None
    judge_parallel: Annotated[
        int, Flag("Requests of judge at a time.", "N", low=1, high=256, shared=True)
    ] = 4
    judge_timeout: Annotated[
        float, Flag("Seconds that an answer to judge may take.", "SECONDS", low=1, shared=True)
    ] = 120.0
    face_index: Annotated[
        int,
        Flag(
            "Which face of a picture the metric face takes, by size: 0 is the largest.",
            "N",
            low=0,
            shared=True,
        ),
    ] = 0
    strip_token: Annotated[
        Sequence[str],
        Flag(
            "Placeholder such as sks that CLIP-T takes out of prompts; repeat for several.",
            "WORD",
            kind=list[str],
            read=_several,
            shared=True,
        ),
    ] = ()
    vsm_latent: Annotated[
        str,
        Flag(
            "What vsm takes of the VAE's posterior: a sample, seeded by the picture, as published, or the mean.",
            "|".join(LATENTS),
            words=LATENTS,
            shared=True,
        ),
    ] = "sample"
    progress: bool = False


class OptionArguments(TypedDict, total=False):
    """The fields of `Options` but for the metrics, as keywords of the functions that take them: for type checkers."""

    configured: Mapping[str, Mapping[str, Any]]
    scores: Mapping[str, Any]
    directions: Mapping[str, str]
    cache: str | os.PathLike[str] | None
    use_cache: bool
    trust_cache: bool
    verify_content: bool
    device: str
    dtype: str
    engine: str
    batch_size: int | None
    workers: int | None
    max_pixels: int | None
    memory: int | None
    color_profile: str
    sixteen_bit: str
    preprocessing: str
    safetensors_only: bool
    pairs: str
    judge_url: str | None
    judge_template: str | os.PathLike[str] | None
    judge_max_failures: float
    judge_log: str | os.PathLike[str] | None
    judge_parallel: int
    judge_timeout: float
    face_index: int
    strip_token: Sequence[str]
    vsm_latent: str
    progress: bool


@dataclass(frozen=True)
class LayoutOptions:
    """How the user says that folders are laid out.

    Attributes:
        layout: the name of one; `auto` recognises each side by itself.
        pattern: what the paths of generations are.
        refs_pattern: likewise of references.
        follow_symlinks: follow links that lead out of the folders that are given.
        allow_outside: take paths in tables that lie neither below these, nor below the table's own folder or the
            current one.
    """

    layout: Annotated[
        str,
        Flag(
            "How the folders are laid out: {words} (see `nearid layout`).",
            "LAYOUT",
            shared=True,
        ),
    ] = "auto"
    pattern: Annotated[
        str | None,
        Flag(
            "What the paths of generations are, like '{prompt}/{subject}/{seed}.png': subject, method, prompt, seed, "
            "step, category, any other {name} as a label; * and ** match what does not matter.",
            "PATTERN",
            shared=True,
        ),
    ] = None
    refs_pattern: Annotated[
        str | None, Flag("What the paths of references are, likewise.", "PATTERN", shared=True)
    ] = None
    follow_symlinks: FollowSymlinks = False
    allow_outside: Annotated[
        bool,
        Flag(
            "Take paths in manifests and the like that lead out of the folders that are given, the table's own and the "
            "current one.",
            shared=True,
        ),
    ] = False


@dataclass(frozen=True)
class Leniency:
    """What a run goes on without.

    Attributes:
        verbose: name every file that is left out.
        allow_unmatched: go on without subjects that lack references or generations, and without numbers that given
            scores lack.
        skip_bad: go on without pictures that cannot be read.
    """

    verbose: Verbose = False
    allow_unmatched: Annotated[
        bool,
        Flag(
            "Go on without subjects that lack references or generations, and without numbers that --scores lack.",
            shared=True,
        ),
    ] = False
    skip_bad: SkipBad = False


@dataclass(frozen=True)
class MaskOptions:
    """Which part of each picture is scored.

    Attributes:
        masks: where masks are: a folder that mirrors the pictures, `sidecar`, `manifest`, or `both`, which is the last
            two, each part scored for itself; `none` to score whole pictures; None for those that a manifest has.
        keep: what is scored: `foreground`, `background`, or `both`, which adds the scores of each part to those of
            whole pictures.
        fill: what the rest becomes: `black`, `white` or `mean`, the mean colour of what is kept.
        clean: take the largest blob of each mask, filled, as NearID-Bench does.
        allow_unmasked: score pictures whole that have no mask.
    """

    masks: Annotated[
        str | os.PathLike[str] | None,
        Flag(
            "Score what masks show: a folder that mirrors the pictures, sidecar (<stem>_mask.png beside a picture), "
            "manifest (its columns mask and box, as without this option), both (the last two; whole pictures, and "
            "foreground and background alone: how much of each score is context), or none.",
            "DIR|" + "|".join(MASK_SOURCES),
            kind=str | None,
            words=MASK_SOURCES,
        ),
    ] = None
    keep: Annotated[
        str,
        Flag(
            "The part that is kept: foreground, background, or both (as --masks both).",
            "PART",
            name="mask-keep",
            words=MASK_KEEPS,
        ),
    ] = "foreground"
    fill: Annotated[
        str,
        Flag(
            "What the rest becomes: black, white, or mean (the mean colour of what is kept).",
            "COLOUR",
            name="mask-fill",
            words=MASK_FILLS,
        ),
    ] = "black"
    clean: Annotated[
        bool,
        Flag("Take the largest blob of each mask, filled, as NearID-Bench does.", name="mask-clean"),
    ] = False
    allow_unmasked: Annotated[bool, Flag("Score pictures whole that have no mask.")] = False


SHARED = (Options, LayoutOptions, Leniency)
"""All groups of options that the environment and the configuration give."""
