"""Formats of numbers that weights come in: the plain ones, and which tool quantised a model that has others."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nearid_cli.errors import ModelError
from nearid_cli.text import count, few, printable

_PLAIN = ("F64", "F32", "F16", "BF16")

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


def check_formats(formats: Mapping[str, str], unused: str, where: str) -> None:
    """Refuse weights that are not plain floating-point numbers.

    Args:
        formats: by the names of the weights, see `heads.Head.formats`.
        unused: regular expression, matched at the start of a name, of weights that do not matter.
        where: the file, for the message.

    Raises:
        ModelError: naming the formats, and the tool that quantised the model where the names of its weights tell.
    """
    ignored = re.compile(unused)
    odd = {name: kind for name, kind in formats.items() if kind not in _PLAIN and not ignored.match(name)}
    if not odd:
        return
    kinds = few(sorted({_spelled(kind) for kind in odd.values()}), 5, str)
    tool = next((tool for end, tool in _TOOLS if any(re.search(end, name) for name in formats)), None)
    raise ModelError(
        f"expected weights in float32, float16, bfloat16 or float64, found {kinds} in {where}: "
        f"{count(len(odd), 'weight')} such as {printable(min(odd)[:200])}; the model is quantised"
        f"{f' ({tool})' if tool else ''}, use the one that it was made from"
    )


def _spelled(kind: str) -> str:
    """A format of safetensors by torch's name.

    >>> _spelled("I8"), _spelled("U8"), _spelled("F8_E4M3"), _spelled("F4")
    ('int8', 'uint8', 'float8_e4m3', 'float4')
    """
    match = re.fullmatch(r"(I|U|F|C)(\d+)(_\w+)?", kind)
    if match is None:
        return printable(kind[:80].lower())
    family = {"I": "int", "U": "uint", "F": "float", "C": "complex"}[match[1]]
    return f"{family}{match[2]}{(match[3] or '').lower()}"
