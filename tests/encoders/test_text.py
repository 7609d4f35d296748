"""Embeddings of texts against transformers called directly, and every way in which the text half can be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.load import load_encoder, load_text_encoder
from nearid_cli.encoders.registry import MetricRequest
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.encoders.text import most_tokens, text_spec
from nearid_cli.encoders.text_encoder import TextEncoder
from nearid_cli.errors import ModelError
from tests.encoders.test_load import opened
from tests.tiny import change_weights, pickle_weights, tiny_clip_with_text, write_json

Checkpoint = Callable[[str], Path]

PROMPTS = [
    "a cat",
    "the dog on the mat",
    "",
    "naïve café 猫 🐈 cafe\u0301",
    "x" * 60,
    "A  CAT\non the\tmat",
    "the cat, the dog and the cat on the dog on the cat on the mat",
    "sks",
]


def pictures_of(folder: Path, dtype: str = "float32") -> EncoderSpec:
    (spec,) = resolve([MetricRequest("clip-t", str(folder), "projected", text=True)], dtype)
    return spec


def load(folder: Path, dtype: str = "float32") -> TextEncoder:
    return load_text_encoder(text_spec(pictures_of(folder, dtype)))


def embed(encoder: TextEncoder, prompts: list[str]) -> np.ndarray:
    return encoder.embed([encoder.prepare(prompt).ids for prompt in prompts])


def reference(folder: Path, prompts: list[str]) -> Any:
    """Normalised text features, without any code of ours."""
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
    rows = []
    for prompt in prompts:
        inputs = tokenizer([prompt], truncation=True, return_tensors="pt")
        with torch.no_grad():
            output = model.get_text_features(**inputs)
        rows.append(output if isinstance(output, torch.Tensor) else output.pooler_output)
    return torch.nn.functional.normalize(torch.cat(rows), dim=-1).numpy()


@pytest.mark.parametrize("legacy", [True, False], ids=["end 2", "own end"])
def test_texts_are_those_of_transformers(tmp_path: Path, legacy: bool) -> None:
    folder = tiny_clip_with_text(tmp_path / "clip", legacy=legacy)
    encoder = load(folder)
    theirs = reference(folder, PROMPTS)
    for size in (1, 3, len(PROMPTS)):
        batches = [PROMPTS[start : start + size] for start in range(0, len(PROMPTS), size)]
        ours = np.concatenate([embed(encoder, batch) for batch in batches])
        assert (ours.dtype, ours.shape) == (np.float32, (len(PROMPTS), 24))
        assert np.abs(ours - theirs).max() < 1e-6
        np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-6)
    assert np.abs(theirs[0] - theirs[1]).max() > 0.1  # texts are told apart, so agreement means something
    assert [prompt for prompt in PROMPTS if encoder.prepare(prompt).cut] == [PROMPTS[at] for at in (3, 4, 6)]


def test_as_much_as_the_model_takes_is_not_cut(checkpoint: Checkpoint) -> None:
    encoder = load(checkpoint("clip-with-text"))
    assert encoder.most_tokens == 16
    assert [(len(encoder.prepare("x" * n).ids), encoder.prepare("x" * n).cut) for n in (13, 14, 15)] == [
        (15, False), (16, False), (16, True),
    ]  # fmt: skip


def test_a_tokenizer_may_take_less_than_the_model(checkpoint: Checkpoint) -> None:
    folder = checkpoint("clip-with-text")
    write_json(folder, "tokenizer_config.json", {"tokenizer_class": "CLIPTokenizer", "model_max_length": 7})
    assert text_spec(pictures_of(folder)).preprocessing.endswith("at most 7 tokens")
    encoder = load(folder)
    assert encoder.prepare(PROMPTS[6]).cut
    assert np.abs(embed(encoder, PROMPTS) - reference(folder, PROMPTS)).max() < 1e-6


@pytest.mark.parametrize("said", [float("inf"), float("nan"), -1, 10**30])
def test_a_tokenizer_without_a_limit_leaves_it_to_the_model(checkpoint: Checkpoint, said: float) -> None:
    folder = checkpoint("clip-with-text")
    write_json(folder, "tokenizer_config.json", {"model_max_length": said})
    assert most_tokens(folder) == 16


def test_settings_that_stand_twice_count_as_for_transformers(checkpoint: Checkpoint) -> None:
    folder = checkpoint("clip-with-text")
    config = json.loads((folder / "config.json").read_bytes())
    config["text_config_dict"]["max_position_embeddings"] = 11
    write_json(folder, "config.json", config)
    theirs = transformers.CLIPConfig.from_pretrained(folder).text_config
    assert most_tokens(folder) == theirs.max_position_embeddings == 11


def test_a_host_program_s_settings_change_nothing(checkpoint: Checkpoint) -> None:
    encoder = load(checkpoint("clip-with-text"))
    expected = embed(encoder, PROMPTS)
    with torch.autocast("cpu", torch.bfloat16):
        np.testing.assert_array_equal(embed(encoder, PROMPTS), expected)


def test_the_cosine_is_that_of_the_whole_model(checkpoint: Checkpoint, photos: list[Path]) -> None:
    folder, images = checkpoint("clip-with-text"), opened(photos)
    encoder = load_encoder(pictures_of(folder))
    ours = encoder.embed([encoder.prepare(image) for image in images]) @ embed(load(folder), PROMPTS[:2]).T
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    tokens = transformers.CLIPTokenizer.from_pretrained(folder)(
        PROMPTS[:2], padding=True, return_tensors="pt"
    )
    processor = transformers.CLIPImageProcessorPil.from_pretrained(folder)
    with torch.no_grad():
        whole = model(pixel_values=processor(images, return_tensors="pt")["pixel_values"], **tokens)
        theirs = (whole.logits_per_image / model.logit_scale.exp()).numpy()
    assert np.abs(ours - theirs).max() < 1e-6
    assert np.ptp(theirs) > 0.01


def test_half_precision_is_near_and_not_the_same(checkpoint: Checkpoint) -> None:
    folder = checkpoint("clip-with-text")
    exact, half = embed(load(folder), PROMPTS), embed(load(folder, "float16"), PROMPTS)
    assert half.dtype == np.float32
    assert 0 < np.abs(exact - half).max() < 1e-2


def test_pickled_weights_and_one_file_of_tokens(checkpoint: Checkpoint) -> None:
    folder = checkpoint("clip-with-text")
    expected = embed(load(folder), PROMPTS)
    pickle_weights(folder)
    transformers.CLIPTokenizer.from_pretrained(folder).save_pretrained(folder)
    (folder / "merges.txt").unlink()
    (folder / "vocab.json").unlink()
    np.testing.assert_array_equal(embed(load(folder), PROMPTS), expected)


def test_the_fingerprint_is_of_all_that_decides(checkpoint: Checkpoint) -> None:
    folder = checkpoint("clip-with-text")
    pictures = pictures_of(folder)
    texts = text_spec(pictures)
    assert texts.preprocessing == (
        f"{pictures.preprocessing}; prompts by the checkpoint's tokenizer, at most 16 tokens"
    )
    seen = {pictures.fingerprint, texts.fingerprint, text_spec(pictures_of(folder, "float16")).fingerprint}
    write_json(folder, "special_tokens_map.json", {"unk_token": "<|endoftext|>"})
    assert pictures_of(folder).fingerprint == pictures.fingerprint
    seen.add(text_spec(pictures).fingerprint)
    change_weights(folder, lambda weights: weights["text_projection.weight"].mul_(2))
    seen.add(text_spec(pictures_of(folder)).fingerprint)
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("absent", "words"),
    [
        (["merges.txt"], "expected merges.txt in "),
        (["vocab.json"], "expected vocab.json in "),
        (["vocab.json", "merges.txt"], "expected tokenizer.json, or vocab.json and merges.txt in "),
    ],
)
def test_a_tokenizer_that_is_absent_is_named(checkpoint: Checkpoint, absent: list[str], words: str) -> None:
    folder = checkpoint("clip-with-text")
    for name in absent:
        (folder / name).unlink()
    with pytest.raises(ModelError) as error:
        pictures_of(folder)
    (line,) = error.value.details
    assert words in line
    assert "found none: prompts are read with the checkpoint's own tokenizer" in line


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("siglip", 'found model_type "siglip": SigLIP\'s texts are not read'),
        ("dinov2", 'found model_type "dinov2": it has no text half'),
    ],
)
def test_models_without_texts(checkpoint: Checkpoint, kind: str, words: str) -> None:
    with pytest.raises(ModelError) as error:
        pictures_of(checkpoint(kind))
    (line,) = error.value.details
    assert words in line
    assert "take one such as openai/clip-vit-large-patch14" in line


def test_weights_that_are_absent_unexpected_or_mis_shaped(checkpoint: Checkpoint) -> None:
    def change(weights: dict[str, torch.Tensor]) -> None:
        del weights["text_projection.weight"]
        weights["text_model.strange"] = torch.zeros(1)
        weights["text_model.final_layer_norm.bias"] = torch.zeros(3)
        del weights["vision_model.post_layernorm.bias"]  # of the other half, which is not read

    folder = change_weights(checkpoint("clip-with-text"), change)
    with pytest.raises(ModelError, match="the weights are not those of the clip model") as error:
        load(folder)
    assert error.value.details == (
        "1 weight missing: text_projection.weight",
        "1 weight unexpected: text_model.strange",
        "1 weight mis-shaped: text_model.final_layer_norm.bias is [3], expected [16]",
    )


def test_weights_that_are_not_finite_or_quantised(checkpoint: Checkpoint) -> None:
    folder = checkpoint("clip-with-text")
    change_weights(folder, lambda weights: weights["text_projection.weight"].fill_(torch.nan))
    with pytest.raises(ModelError, match=r"1 weight with NaN or infinity in the checkpoint: text_projection"):
        load(folder)
    quantised = torch.zeros(24, 16, dtype=torch.int8)
    change_weights(folder, lambda weights: weights.update({"text_projection.weight": quantised}))
    with pytest.raises(ModelError, match=r"found int8 in .*the model is quantised"):
        load(folder)


def test_a_tokenizer_of_another_model(checkpoint: Checkpoint) -> None:
    folder = checkpoint("clip-with-text")
    config = json.loads((folder / "config.json").read_bytes())
    for half in ("text_config", "text_config_dict"):
        config[half]["eos_token_id"] = 7
    write_json(folder, "config.json", config)
    with pytest.raises(
        ModelError, match="ends a text with token 522, and the model with 7: they are not of one"
    ):
        load(folder)


def test_a_token_that_hides_the_end_of_a_text(checkpoint: Checkpoint) -> None:
    folder = checkpoint("clip-with-text")
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<v>"])
    tokenizer.save_pretrained(folder)
    encoder = load(folder)
    encoder.prepare("a cat")
    with pytest.raises(ModelError, match="gives token 523, and the model knows 523"):
        encoder.prepare("a <v> cat")
    encoder = load(tiny_clip_with_room(folder))
    encoder.prepare("a cat")
    with pytest.raises(ModelError, match='ends "a <v> cat" where the model does not look for the end'):
        encoder.prepare("a <v> cat")


def tiny_clip_with_room(folder: Path) -> Path:
    """The checkpoint with one more token."""
    config = json.loads((folder / "config.json").read_bytes())
    for half in ("text_config", "text_config_dict"):
        config[half]["vocab_size"] += 1
    write_json(folder, "config.json", config)
    name = "text_model.embeddings.token_embedding.weight"
    return change_weights(
        folder, lambda weights: weights.update({name: torch.cat([weights[name], weights[name][:1]])})
    )


def test_a_damaged_tokenizer_is_one_line(checkpoint: Checkpoint) -> None:
    folder = checkpoint("clip-with-text")
    (folder / "vocab.json").write_text("{")
    with pytest.raises(
        ModelError, match=r"cannot make a tokenizer of merges\.txt, tokenizer_config\.json, vocab"
    ):
        load(folder)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model_max_length": "7"}, "expected a number of tokens in model_max_length of .*, found '7'"),
        ({"max_len": {"a": 1}}, "expected a number of tokens in max_len of .*, found {'a': 1}"),
        (
            {"tokenizer_class": "pipeline"},
            "expected a tokenizer_class of CLIPTokenizer, .*, found 'pipeline'",
        ),
        ({"tokenizer_class": ["planted.X"]}, "expected a tokenizer_class of CLIPTokenizer, .*, found "),
    ],
)
def test_settings_of_another_kind_of_tokenizer(
    checkpoint: Checkpoint, settings: dict[str, Any], words: str
) -> None:
    folder = write_json(checkpoint("clip-with-text"), "tokenizer_config.json", settings)
    with pytest.raises(ModelError, match=words):
        load(folder)


def test_settings_of_a_tokenizer_that_say_nothing_of_tokens_are_not_passed_on(checkpoint: Checkpoint) -> None:
    folder = checkpoint("clip-with-text")
    expected = load(folder).prepare("a cat").ids
    planted = {
        "auto_map": {"AutoTokenizer": ["planted.X", None]}, "fast_tokenizer_files": ["tokenizer.9.9.json"],
        "init_inputs": [1], "vocab": {"a": 0}, "merges": [], "vocab_file": "/etc/passwd", "_encode_plus": "x",
    }  # fmt: skip
    settings = json.loads((folder / "tokenizer_config.json").read_bytes())
    write_json(folder, "tokenizer_config.json", settings | planted)
    write_json(folder, "special_tokens_map.json", {"eos_token": "<|endoftext|>", **planted})
    assert (load(folder).prepare("a cat").ids == expected).all()
