"""What the commands do, for notebooks and other programs, on what a Python program has in its hands.

Unknown keywords are answered with the nearest, values of a wrong type with what was expected.
"""

from __future__ import annotations

import inspect
import logging
import math
import os
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from nearid_cli.embedding.devices import choose_device
from nearid_cli.embedding.forward import NOT_FINITE, Forward, not_finite, sound
from nearid_cli.encoders.registry import parse_metrics
from nearid_cli.errors import BadImage, BadImagesError, ModelError, UnknownParameterError, UsageError
from nearid_cli.evaluate.embed import pair as _pair
from nearid_cli.evaluate.embedding import Job
from nearid_cli.evaluate.kinds.choose import measured
from nearid_cli.evaluate.methods import Contest, Method
from nearid_cli.evaluate.score import score as _score
from nearid_cli.flags import DEFAULT_METRICS, all_given
from nearid_cli.layouts.dataset import InMemory
from nearid_cli.layouts.given import is_one, is_path, read_picture, read_side
from nearid_cli.layouts.reach import Reach
from nearid_cli.options import LayoutOptions, Leniency, MaskOptions, OptionArguments, Options
from nearid_cli.remote.stores import as_path
from nearid_cli.reports.document import document
from nearid_cli.results import CompareResult, PairResult, ScoreResult
from nearid_cli.text import count, printable, storable, unknown

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from nearid_cli.encoders.spec import Encoder, EncoderSpec
    from nearid_cli.images.decode import Halve
    from nearid_cli.layouts.given import GivenSide, OnePicture, PathLike
    from nearid_cli.layouts.sides import Side

logger = logging.getLogger(__name__)

Metrics = str | Iterable[str]
R = TypeVar("R", ScoreResult, CompareResult)

_LONGEST = 60  # so much of a value is quoted


def score(
    references: GivenSide,
    generations: GivenSide | None = None,
    metrics: Metrics = DEFAULT_METRICS,
    *,
    layout: str = "auto",
    pattern: str | None = None,
    refs_pattern: str | None = None,
    follow_symlinks: bool = False,
    allow_outside: bool = False,
    allow_unmatched: bool = False,
    skip_bad: bool = False,
    distractors: GivenSide | None = None,
    masks: PathLike | None = None,
    mask_keep: str = "foreground",
    mask_fill: str = "black",
    mask_clean: bool = False,
    allow_unmasked: bool = False,
    maps: PathLike | None = None,
    by: str | Iterable[str] = (),
    **options: Unpack[OptionArguments],
) -> ScoreResult:
    """Score the generations of each subject against its references, as `nearid score` does.

    References, generations and distractors are each a folder or manifest; or a list of the pictures of one subject;
    or a dict of such lists (or folders) by subject. A picture is a path, a PIL image, a uint8 array
    [height, width, 3], or a tensor [3, height, width] of uint8 or of floats from 0 to 1. The same pixels give the same
    numbers, wherever they come from.

    Args:
        references: the real pictures; or a manifest of everything.
        generations: the generated ones; None when `references` is a manifest of both.
        metrics: as in `--metric`.
        layout: how the folders are laid out; see docs/reference/layouts.md.
        pattern: what the paths of generations are, as in `--pattern`.
        refs_pattern: what the paths of references are.
        follow_symlinks: follow links that lead out of the folders that are given.
        allow_outside: take paths in manifests that lie neither below these, nor below the manifest's folder or the
            current one.
        allow_unmatched: go on without the subjects that lack references or generations.
        skip_bad: go on without pictures that cannot be read.
        distractors: each subject's look-alikes.
        masks: where masks of the pictures are, as in `--masks`: a folder that mirrors them, `sidecar`, `manifest` or
            `both`; pictures in memory have none.
        mask_keep: the part that is kept: `foreground`, `background` or `both`.
        mask_fill: what the rest becomes: `black`, `white` or `mean`.
        mask_clean: take the largest blob of each mask, filled.
        allow_unmasked: score pictures whole that have no mask.
        maps: folder for pictures of where each generation lost identity, by metrics that say so, such as `vsm`.
        by: labels of the generations that the result is broken down by, as in `--by`.
        **options: further fields of `nearid_cli.Options`, such as `device="cuda"`.

    Returns:
        The result: `.subjects`, `.aggregate`, `.images`, `.to_pandas()`, `.save()`, `.to_dict()`.

    Raises:
        NearIDError: the job cannot be done; the message says what to do.
    """
    chosen = read_options(score, metrics, options)
    how = _read_layout(layout, pattern, refs_pattern, follow_symlinks, allow_outside)
    reach = Reach(follow_symlinks=follow_symlinks)
    check("maps", maps, str | os.PathLike | None)
    part = _read_masks(masks, mask_keep, mask_fill, mask_clean, allow_unmasked)
    result = _score(
        read_side(references, "references", reach=reach),
        _read_given(generations, "generations", reach),
        chosen,
        layout=how,
        leniency=Leniency(allow_unmatched=allow_unmatched, skip_bad=skip_bad),
        distractors=_read_given(distractors, "distractors", reach),
        masks=part,
        maps=None if maps is None else Path(maps),
        by=read_texts("by", by),
    )
    return warned(result)


def compare(
    methods: PathLike | Iterable[PathLike] | Mapping[str, GivenSide | ScoreResult],
    references: GivenSide | None = None,
    metrics: Metrics | None = None,
    *,
    baseline: str | None = None,
    layout: str = "auto",
    pattern: str | None = None,
    refs_pattern: str | None = None,
    follow_symlinks: bool = False,
    allow_outside: bool = False,
    distractors: GivenSide | None = None,
    allow_unmatched: bool = False,
    skip_bad: bool = False,
    masks: PathLike | None = None,
    mask_keep: str = "foreground",
    mask_fill: str = "black",
    mask_clean: bool = False,
    allow_unmasked: bool = False,
    by: str | Iterable[str] = (),
    **options: Unpack[OptionArguments],
) -> CompareResult:
    """Compare methods, as `nearid compare` does.

    Args:
        methods: generations by the names of the methods, each as for `score`, or what `score` returned for them, or
            both together; or what the command takes: a folder of method folders, a manifest, files that
            `nearid score` wrote.
        references: as for `score`, unless they lie among the methods.
        metrics: as in `--metric`; None for those of the finished results, or the default ones without any.
        baseline: the method that the others are compared with; None for the best by the first metric.
        layout: how the folders are laid out; see docs/reference/layouts.md.
        pattern: what the paths of generations are, as in `--pattern`.
        refs_pattern: what the paths of references are.
        follow_symlinks: follow links that lead out of the folders that are given.
        allow_outside: take paths in manifests that lie neither below these, nor below the manifest's folder or the
            current one.
        distractors: each subject's look-alikes, as for `score`.
        allow_unmatched: go on without generations that have no references.
        skip_bad: go on without pictures that cannot be read.
        masks: where masks of the pictures are, as in `--masks`: a folder that mirrors them, `sidecar`, `manifest` or
            `both`; pictures in memory have none.
        mask_keep: the part that is kept: `foreground`, `background` or `both`.
        mask_fill: what the rest becomes: `black`, `white` or `mean`.
        mask_clean: take the largest blob of each mask, filled.
        allow_unmasked: score pictures whole that have no mask.
        by: labels of the generations that the comparison is broken down by, as in `--by`.
        **options: further fields of `nearid_cli.Options`, such as `device="cuda"`.

    Returns:
        The result: `.methods`, `.comparisons`, `.agreements`, `.disagreements`, `.to_pandas()`, `.save()`,
        `.to_dict()`.

    Raises:
        NearIDError: the job cannot be done; the message says what to do.
    """
    paths, named = _read_methods(methods, Reach(follow_symlinks=follow_symlinks))
    chosen = read_options(compare, DEFAULT_METRICS if metrics is None else metrics, options)
    how = _read_layout(layout, pattern, refs_pattern, follow_symlinks, allow_outside)
    reach = Reach(follow_symlinks=follow_symlinks)
    part = _read_masks(masks, mask_keep, mask_fill, mask_clean, allow_unmasked)
    if baseline is not None:
        check("baseline", baseline, str)
    result = Contest(paths, named, chosen, asked=metrics is not None).compare(
        baseline,
        references=_read_given(references, "references", reach),
        distractors=_read_given(distractors, "distractors", reach),
        layout=how,
        leniency=Leniency(allow_unmatched=allow_unmatched, skip_bad=skip_bad),
        masks=part,
        by=read_texts("by", by),
    )
    return warned(result)


def pair(
    a: OnePicture, b: OnePicture, metrics: Metrics = DEFAULT_METRICS, **options: Unpack[OptionArguments]
) -> PairResult:
    """How alike two pictures are by each metric, as `nearid pair` says.

    Args:
        a: a picture: a path, a PIL image, a uint8 array [height, width, 3], or a tensor [3, height, width].
        b: another one.
        metrics: as in `--metric`.
        **options: further fields of `nearid_cli.Options`, such as `device="cuda"`.

    Raises:
        NearIDError: a picture or a metric cannot be used.
    """
    chosen = read_options(pair, metrics, options)
    return _pair(read_picture(a, "a"), read_picture(b, "b"), chosen)


def warned(result: R) -> R:
    """The result, after what a reader of its numbers must not miss was said."""
    for line in document(result).findings:
        logger.warning(line)
    return result


class ImageEncoder:
    """A metric's encoder, loaded. Made by `load_encoder`."""

    def __init__(self, encoder: Encoder, batch_size: int) -> None:
        self._encoder = encoder
        self._forward = Forward(encoder, batch_size)

    @property
    def spec(self) -> EncoderSpec:
        """What the encoder is: checkpoint, revision, readout, preprocessing, dtype, fingerprint."""
        return self._encoder.spec

    def embed(self, images: Iterable[OnePicture]) -> npt.NDArray[np.float32]:
        """Embed pictures, without the cache.

        Args:
            images: paths, PIL images, uint8 arrays [height, width, 3] or tensors [3, height, width]; files and images
                are turned upright by their EXIF orientation and made RGB.

        Returns:
            Float32 array [N, D], rows of length 1: `a @ b.T` are cosine similarities.

        Raises:
            BadImagesError: naming every picture that cannot be read, or has no embedding by this metric.
            ModelError: embeddings that are not finite, naming their pictures; or memory does not hold one picture.
            UsageError: no pictures, or something that is none.
        """
        import numpy as np

        if is_one(images):
            raise UsageError("expected several pictures, found one; write embed([picture])")
        prepared: list[Any] = []
        rows: list[Any] = []
        names: list[str] = []
        bad: list[BadImage] = []
        for number, image in enumerate(images):
            place = storable(image) if is_path(image) else f"images[{number}]"
            opened = _open(image, place, bad, self._encoder.takes_half if self.spec.fast else None)
            if opened is not None:
                ready = self._encoder.prepare(opened)
                if ready is None:
                    bad.append(BadImage(place, self.spec.absent))
                    continue
                names.append(place)
                prepared.append(ready)
            if len(prepared) >= self._forward.batch_size:
                rows.append(self._forward(prepared))
                prepared = []
        if bad:
            raise BadImagesError(f"{count(len(bad), 'picture')} cannot be used", bad)
        if prepared:
            rows.append(self._forward(prepared))
        if not rows:
            raise UsageError("expected at least one picture, found none")
        embedded: npt.NDArray[np.float32] = np.concatenate(rows)
        unsound = [name for name, usable in zip(names, sound(embedded), strict=True) if not usable]
        if unsound:
            if self.spec.plugin is not None:
                raise not_finite([(self.spec, unsound)])
            raise ModelError(
                f"embeddings that are not finite numbers, from {self.spec.name}; {NOT_FINITE}",
                [printable(name) for name in unsound],
            )
        return embedded


def _open(image: OnePicture, place: str, bad: list[BadImage], halve: Halve | None) -> Image.Image | None:
    from nearid_cli.images import decode
    from nearid_cli.images.reading import UnreadableImage

    try:
        if is_path(image):
            return decode.read_picture(Path(image), halve=halve).image
        held = read_picture(image, place)
        return decode.read_held(held.image).image if isinstance(held, InMemory) else None
    except UnreadableImage as error:
        bad.append(BadImage(place, error.reason))
        return None


def load_encoder(
    metric: str = "nearid",
    *,
    device: str = "auto",
    dtype: str = "auto",
    engine: str = "auto",
    batch_size: int = 16,
    configured: Mapping[str, Mapping[str, str]] | None = None,
    safetensors_only: bool = False,
    preprocessing: str = "exact",
) -> ImageEncoder:
    """Load a metric's encoder.

    Args:
        metric: as in `--metric`: a name, `NAME=PATH_OR_ID`, a folder or a Hub id.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        dtype: `auto` (float16 on CUDA, else float32), `float32`, `float16` or `bfloat16`.
        engine: `auto` (OpenVINO on a CPU where it is installed, else torch), `torch` or `openvino`.
        batch_size: pictures a forward pass.
        configured: metrics of your own, name -> {checkpoint, readout, revision}.
        safetensors_only: refuse weights in torch's pickle format.
        preprocessing: `exact`, or `fast`, which makes pictures smaller nearly so and sooner.

    Raises:
        UsageError: an unknown metric, device, dtype, engine or preprocessing, or several metrics.
        ModelError: the checkpoint cannot be had or used.
    """
    from nearid_cli.encoders.load import load_encoder as load

    check("metric", metric, str)
    requests = parse_metrics([metric], configured)
    if len(requests) != 1:
        raise UsageError(f"expected one metric, found {len(requests)}: {metric}")
    if engine == "ray":
        raise UsageError("engine ray is for whole jobs, such as score; expected auto, torch or openvino")
    chosen = choose_device(device)
    options = Options(
        device=chosen,
        dtype=dtype,
        engine=engine,
        use_cache=False,
        safetensors_only=safetensors_only,
        preprocessing=preprocessing,
    )
    (measure,) = measured(requests, Job(options))
    spec = measure.encoder
    return ImageEncoder(load(spec, chosen), batch_size)


def read_options(function: Callable[..., Any], metrics: Metrics, options: Mapping[str, Any]) -> Options:
    """The options of a call of `function`, whose own parameters may be what a misspelled keyword means."""
    hints = typing.get_type_hints(Options)
    del hints["metrics"]
    own = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    strange = [unknown("parameter", name, [*own, *hints]) for name in options if name not in hints]
    if strange:
        raise UnknownParameterError(strange[0], strange[1:])
    for name, value in options.items():
        check(name, value, hints[name])
    return Options(metrics=read_texts("metrics", metrics), **options)


def read_texts(name: str, value: object) -> list[str]:
    """A text, or several, as a list.

    Raises:
        UsageError: there is something else among them.
    """
    given = [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    names = [one for one in given if isinstance(one, str)]
    for one in given:
        if not isinstance(one, str):
            raise UsageError(f"{name}: expected a name or a list of names, found {shown(one)}")
    return names


def _read_methods(methods: object, reach: Reach) -> tuple[list[Path], dict[str, Method]]:
    """What `compare` is given: paths whose names say which methods they are, and methods by name."""
    if isinstance(methods, Mapping):
        for name in methods:
            if not isinstance(name, str) or not name.strip():
                raise UsageError(f"methods: expected names of methods as keys, found {shown(name)}")
        return [], {
            name: one
            if isinstance(one, ScoreResult)
            else read_side(one, "generations", printable(f'methods["{name}"]'), reach)
            for name, one in methods.items()
        }
    given = [methods] if is_path(methods) or not isinstance(methods, Iterable) else list(methods)
    for one in given:
        if not is_path(one) or not os.fspath(one):  # an empty one is the current folder to Python
            raise UsageError(
                f"methods: expected a path, paths, or a dict of methods by name, found {shown(one)}"
            )
    return [as_path(one) for one in given if is_path(one)], {}


def _read_given(value: GivenSide | None, side: str, reach: Reach) -> Side | None:
    return None if value is None else read_side(value, side, reach=reach)


def _read_layout(
    layout: str, pattern: str | None, refs_pattern: str | None, follow_symlinks: bool, allow_outside: bool
) -> LayoutOptions:
    check("layout", layout, str)
    for parameter, value in (("pattern", pattern), ("refs_pattern", refs_pattern)):
        if value is not None:
            check(parameter, value, str)
    check("follow_symlinks", follow_symlinks, bool)
    check("allow_outside", allow_outside, bool)
    return LayoutOptions(layout, pattern, refs_pattern, follow_symlinks, allow_outside)


def _read_masks(
    masks: PathLike | None, keep: str, fill: str, clean: bool, allow_unmasked: bool
) -> MaskOptions:
    for parameter, value, kind in (
        ("mask_keep", keep, str),
        ("mask_fill", fill, str),
        ("mask_clean", clean, bool),
        ("allow_unmasked", allow_unmasked, bool),
    ):
        check(parameter, value, kind)
    if masks is not None and not is_path(masks):
        raise UsageError(f"masks: expected a path or a text, found {shown(masks)}")
    return MaskOptions(masks, keep, fill, clean, allow_unmasked)


def check(name: str, value: object, hint: Any) -> None:
    """Refuse an argument of another type than the hint says, or beyond the bounds of the option of its name.

    Raises:
        UsageError: with what was expected and found.
    """
    union = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    kinds = [typing.get_origin(kind) or kind for kind in union]
    taken = (*kinds, int) if float in kinds else tuple(kinds)
    if not isinstance(value, taken) or (isinstance(value, bool) and bool not in kinds):
        expected = " or ".join(_NOUNS[kind] for kind in kinds)
        raise UsageError(f"{name}: expected {expected}, found {shown(value)}")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        _check_number(name, value)


def _check_number(name: str, value: float) -> None:
    """Refuse what is beyond the bounds of the option of this name; without bounds, what is below 1."""
    flag = next((one.flag for one in all_given(Options) if one.field == name), None)
    low, high = (1, None) if flag is None or flag.low is None else (flag.low, flag.high)
    if not low <= value <= (math.inf if high is None else high):
        end = "or more" if high is None else f"to {high:g}"
        raise UsageError(f"{name}: expected a number of {low:g} {end}, found {value}")


_NOUNS = {
    str: "a text",
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    os.PathLike: "a path",
    Mapping: "a dict",
    Sequence: "a text or a list of texts",
    types.NoneType: "None",
}


def shown(value: object) -> str:
    """A value as messages quote it."""
    text = printable(repr(value).replace("\n", " "))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
