"""The model card of a release: how to use it, what was measured, what it was made with, and what it is not for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_cli import __version__
from nearid_cli.encoders.registry import HUB_ID, REGISTRY
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.encoders.nearid_config import NearIDConfig

# What says nothing about the model: where a run wrote, how it was watched and cut up.
_BOOKKEEPING = {"output", "resume", "workers", "log", "keep", "save_steps"}
_TOWERS = {"siglip_vision_model": "SigLIP", "clip_vision_model": "CLIP", "dinov2": "DINOv2", "vit": "ViT"}
_HEADS = {"map": "attention pooling", "mlp": "two linear layers on the mean token"}


def model_card(
    name: str,
    config: NearIDConfig,
    dtype: str,
    metrics: Mapping[str, Any] | None,
    training: Mapping[str, Any] | None,
) -> str:
    """The card as Markdown with YAML front matter.

    Args:
        name: of the model.
        config: its configuration.
        dtype: precision of its weights.
        metrics: the fields of `metrics.margins.Success`, with those of each source of distractors under `sources`;
            None or empty where nothing was measured.
        training: what training.json holds, None where it is not known.
    """
    options = (training or {}).get("options", {})
    return "\n".join(
        [
            *_front_matter(options),
            f"# {_text(name)}",
            "",
            *_introduction(name, config, dtype),
            "## Measured",
            "",
            *(_measured(metrics) if metrics else ["Nothing was measured when this was exported."]),
            "",
            "## Made with",
            "",
            *(_recipe(training) if training else ["The training recipe is not known to the exporter."]),
            "",
            "## Limits",
            "",
            *_limits(measured=bool(metrics)),
            "",
        ]
    )


def _front_matter(options: Mapping[str, Any]) -> Iterator[str]:
    """What the Hub reads."""
    yield "---"
    yield "library_name: transformers"
    yield "pipeline_tag: image-feature-extraction"
    yield "tags: [nearid, identity-preservation, image-similarity]"
    base = _base_model(options)
    if base is not None:
        yield f"base_model: {json.dumps(base)}"
    yield "---"
    yield ""


def _base_model(options: Mapping[str, Any]) -> str | None:
    """The backbone's Hub id; None for a local folder or for random weights."""
    backbone = str(options.get("backbone", "")).partition("@")[0]
    if options.get("from_scratch") or Path(backbone).exists():
        return None
    backbone = REGISTRY[backbone].checkpoint if backbone in REGISTRY else backbone
    return backbone if HUB_ID.fullmatch(backbone) else None


def _introduction(name: str, config: NearIDConfig, dtype: str) -> Iterator[str]:
    tower = config.vision_config
    projection = (
        ", then a linear projection"
        if config.head_type == "map" and config.embed_dim != tower.hidden_size
        else ""
    )
    yield (
        f"An identity encoder: a picture becomes a vector of {config.embed_dim} numbers, and the cosine of two "
        "vectors says how much the pictures look like the same individual object. NearID model (Cvejic et al., "
        "2026, arXiv 2604.01973)."
    )
    yield ""
    yield (
        f"- tower: {_TOWERS[tower.model_type]}, {tower.num_hidden_layers} layers of {tower.hidden_size}, "
        f"patches of {tower.patch_size} px"
    )
    yield f"- head: {_HEADS[config.head_type]}{projection}"
    yield f"- weights: {dtype}, under the names of the released NearID checkpoint"
    folder = "".join(c if c.isalnum() or c in "._-" else "_" for c in name)
    yield from (
        "",
        "```console",
        '$ pip install "nearid-cli"',
        f"$ nearid score refs/ gens/ --metric mine=./{folder}",
        "```",
        "",
        "```python",
        "import nearid_cli  # makes AutoModel know NearID models; no remote code",
        "from transformers import AutoModel",
        "",
        f'model = AutoModel.from_pretrained("./{folder}")',
        "```",
        "",
    )


def _measured(metrics: Mapping[str, Any]) -> Iterator[str]:
    """SSR and PA, with how many and how sure."""
    yield (
        "SSR: share of samples whose views of one object are all more alike than each view and its near-identity "
        "distractor. PA: the same by single comparison. In brackets 95 % intervals over samples."
    )
    yield ""
    yield "| distractors | samples | trials | SSR | PA | mean margin |"
    yield "|---|---:|---:|---:|---:|---:|"
    sources: Mapping[str, Any] = metrics.get("sources") or {}
    for source, values in {"all": metrics, **sources}.items():
        cells = [
            str(values.get("samples", "-")),
            str(values.get("trials", "-")),
            _figure(values.get("ssr"), values.get("ssr_ci95")),
            _figure(values.get("pa"), values.get("pa_ci95")),
            _figure(values.get("mean_margin")),
        ]
        yield f"| {_text(str(source))} | {' | '.join(cells)} |"


def _figure(value: Any, interval: Any = None) -> str:
    """A number with its interval.

    >>> _figure(0.5, [0.25, 0.75]), _figure(None)
    ('0.500 [0.250, 0.750]', '-')
    """
    if not isinstance(value, (int, float)):
        return "-"
    return f"{value:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")


def _recipe(training: Mapping[str, Any]) -> Iterator[str]:
    """The options of the run, and the program."""
    tool = training.get("tool") or {}
    made = f"{tool.get('name', 'nearid-cli')} {tool.get('version', '')}".strip()
    yield f"`nearid train` of {_text(made)}, {_text(str(training.get('created', 'at an unknown time')))}:"
    yield ""
    yield "| option | value |"
    yield "|---|---|"
    for name, value in _flat(training.get("options") or {}):
        yield f"| {_text(name)} | {_text(value)} |"


def _flat(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values of what was asked for; switches that were off and options that were not given are left out."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}: {inner}", text) for inner, text in _flat(value))
        elif name not in _BOOKKEEPING and value not in (None, False, [], 0.0):
            yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _limits(measured: bool) -> Iterator[str]:
    if measured:
        yield (
            "- The figures hold for the validation rows of this training run. The checkpoint may have been chosen "
            "by them, so they are a little too good; measure on data of your own before you trust them."
        )
    yield (
        "- Cosines of this model compare with cosines of this model only, not with those of another checkpoint, "
        "another size of picture or another preprocessing."
    )
    yield (
        "- It tells apart what its training data tell apart. Kinds of objects and of changes that they do not show "
        "are untested."
    )
    yield "- It was not made to recognise people, and must not be used to identify them."
    yield f"- Exported by nearid-cli {__version__}; no licence is stated here: the owner of the weights decides it."


def _text(text: str) -> str:
    r"""Text that stays text in a Markdown table.

    >>> _text("a|b`c*\n")
    'a\\|b\\`c\\*\\\\n'
    """
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in printable(text))
