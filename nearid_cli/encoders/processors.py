"""The settings of image processors: their bounds, and transformers' own processors for those that are not done here."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nearid_cli.encoders.libraries import quiet_transformers, torchvision_problem
from nearid_cli.encoders.settings import MOST_PIXELS
from nearid_cli.errors import ModelError
from nearid_cli.images.preprocessing import named_processor
from nearid_cli.text import printable

_SIZES = ("size", "crop_size", "pad_size")
_KEYS = re.compile(
    r"do_\w+|size|crop_size|pad_size|resample|rescale_factor|image_mean|image_std|default_to_square|crop_pct|"
    r"size_divisor|image_processor_type|feature_extractor_type"
)
"""What is passed on. A processor takes everything else for an attribute of its own, its methods among these."""

_NAME = re.compile(r"[A-Z]\w{0,80}(ImageProcessor(Fast|Pil)?|FeatureExtractor)", re.ASCII)
_MOST = 10**9


def check_processor(settings: Mapping[str, Any], where: str) -> None:
    """Refuse an image processor's settings that ask for pictures of a size that no model in use takes.

    Args:
        settings: of the image processor.
        where: the file, for the message.

    Raises:
        ModelError: naming the key and the value.
    """
    for key, value in settings.items():
        for number in _numbers(value):
            if abs(number) > _MOST or math.isnan(number):
                raise ModelError(
                    f"{where}: expected numbers of use in {printable(key[:80])}, found {_said(number)}"
                )
            if key in _SIZES and number > MOST_PIXELS:
                raise ModelError(
                    f"{where}: expected at most {MOST_PIXELS:,} px in {key}, found {_said(number)}: no model in "
                    "use takes larger pictures"
                )


def _numbers(value: object) -> list[int | float]:
    """The numbers in a value, or one below it."""
    if isinstance(value, (int, float)):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    inner = value if isinstance(value, list) else []
    return [one for one in inner if isinstance(one, (int, float))]


def _said(number: float) -> str:
    return (
        f"{number:,}" if isinstance(number, float) or abs(number) < 10**15 else "one of more than 15 digits"
    )


def stock_processor(folder: Path, settings: Mapping[str, Any], model_type: str) -> Any:
    """Transformers' own image processor, for one that `Preprocessing` does not know.

    Args:
        folder: of the checkpoint, for messages.
        settings: of the image processor.
        model_type: of the model, whose processor it is where the settings name none.

    Raises:
        ModelError: there is none that runs here.
    """
    from transformers import AutoImageProcessor

    named = named_processor(settings)
    kind = printable(str(named)[:80])
    if named is not None and not _NAME.fullmatch(named):
        raise ModelError(f"{printable(folder)}: transformers has no image processor {kind} that runs here")
    used = {key: value for key, value in settings.items() if _KEYS.fullmatch(key)}
    with quiet_transformers(), TemporaryDirectory() as copies:
        # It reads files, and does what they say: so they say nothing but this.
        for name, content in (
            ("preprocessor_config.json", used),
            ("config.json", {"model_type": model_type}),
        ):
            (Path(copies) / name).write_text(json.dumps(content), encoding="utf-8")
        try:
            return AutoImageProcessor.from_pretrained(
                copies, backend="pil", local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # whatever a library says of settings from anywhere
            if problem := torchvision_problem():
                raise ModelError(problem) from error
            needs = "; it needs `pip install torchvision`" if "torchvision" in str(error).lower() else ""
            reason = printable(" ".join(str(error).replace(copies, str(folder)).split())[:300])
            raise ModelError(
                f"{printable(folder)}: transformers has no image processor {kind} that runs here{needs} "
                f"({reason or type(error).__name__})"
            ) from error
