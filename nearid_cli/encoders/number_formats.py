"""The number formats of weights: which ones are read, and naming the others. Needs no torch.

A model in int8 or float8 has its real weights in these numbers times scales that are stored beside them. Taken as
they are, they give embeddings of another model, without any error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from nearid_cli.errors import ModelError
from nearid_cli.text import count, printable

_PLAIN = ("F64", "F32", "F16", "BF16")
_MAX_HEAD = 100_000_000  # bytes, safetensors' own limit

# Ends of weights' names that one tool alone writes.
_TOOLS = (
    (r"\.SCB$|\.absmax$|\.quant_map$|\.quant_state\.bitsandbytes", "bitsandbytes"),
    (r"\.g_idx$", "GPTQ"),
    (r"\.qweight$|\.qzeros$", "AWQ or GPTQ"),
    (r"_weight_qdata$|:_data$|\.int_data$", "torchao"),
    (r"\._data$|\._scale$", "quanto"),
    (r"\.weight_packed$|\.weight_scale$|\.weight_scale_inv$", "compressed-tensors or FP8"),
    (r"\.W_q$", "HQQ"),
)


def read_formats(file: Path) -> dict[str, str]:
    """The number format of each weight, as safetensors names it (`F32`, `I8`), from a safetensors file's head.

    A file without a sound head has none: reading its weights will say what is wrong with it.
    """
    try:
        with file.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            head = json.loads(stream.read(size)) if size <= _MAX_HEAD else {}
    except (OSError, ValueError):
        return {}
    if not isinstance(head, dict):
        return {}
    entries = ((name, entry) for name, entry in head.items() if name != "__metadata__")
    return {name: str(entry.get("dtype")) for name, entry in entries if isinstance(entry, dict)}


def check_formats(formats: Mapping[str, str], unused: str, where: str) -> None:
    """Refuse weights that are not plain floating-point numbers.

    Args:
        formats: from `read_formats`.
        unused: regular expression, matched at the start of a name, of weights that do not matter.
        where: the file, for the message.

    Raises:
        ModelError: naming the formats, and the tool that quantised the model where the names of its weights tell.
    """
    ignored = re.compile(unused)
    odd = {name: kind for name, kind in formats.items() if kind not in _PLAIN and not ignored.match(name)}
    if not odd:
        return
    kinds = ", ".join(sorted({_spelled(kind) for kind in odd.values()}))
    tool = next((tool for end, tool in _TOOLS if any(re.search(end, name) for name in formats)), None)
    raise ModelError(
        f"expected weights in float32, float16, bfloat16 or float64, found {kinds} in {where}: "
        f"{count(len(odd), 'weight')} such as {printable(min(odd))}; the model is quantised"
        f"{f' ({tool})' if tool else ''}, use the one that it was made from"
    )


def _spelled(kind: str) -> str:
    """A format of safetensors by torch's name.

    >>> _spelled("I8"), _spelled("U8"), _spelled("F8_E4M3"), _spelled("F4")
    ('int8', 'uint8', 'float8_e4m3', 'float4')
    """
    match = re.fullmatch(r"(I|U|F|C)(\d+)(_\w+)?", kind)
    if match is None:
        return printable(kind.lower())
    family = {"I": "int", "U": "uint", "F": "float", "C": "complex"}[match[1]]
    return f"{family}{match[2]}{(match[3] or '').lower()}"
