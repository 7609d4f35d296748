"""What of a prompt CLIP-T reads."""

from __future__ import annotations

import pytest

from nearid_cli.measures.clip_text import (
    NO_PROMPT,
    NOTHING_LEFT,
    NUMBERED_PROMPT,
    SEVERAL_TEXTS,
    ClipText,
)


@pytest.mark.parametrize(
    ("prompt", "wording"),
    [
        ("a sks dog on the beach", "a dog on the beach"),
        ("A SKS dog", "A dog"),
        ("photo of sks, at night", "photo of, at night"),
        ("a <v> dog", "a dog"),
        ("an unasksed sks-like task, sks_2", "an unasksed sks-like task, sks_2"),
        ("a_sks_dog_in_the_snow", "a dog in the snow"),
        ("a (sks) dog", "a ( ) dog"),
        ("two  spaces, kept", "two  spaces, kept"),
    ],
)
def test_placeholders_go_where_they_are_whole_words(prompt: str, wording: str) -> None:
    assert ClipText(strip_token=["sks", "<v>"]).wording(prompt) == wording


def test_placeholders_of_several_words_and_with_signs() -> None:
    assert (
        ClipText(strip_token=["sks  dog"]).wording("a photo of sks dog in a dog house")
        == "a photo of in a dog house"
    )
    assert ClipText(strip_token=["[V]"]).wording("a [V] vase, v. old") == "a vase, v. old"
    assert ClipText(strip_token="sks").wording("sks k s") == "k s"  # one word is no list of letters


def test_prompts_stay_as_they_are_by_default() -> None:
    for prompt in ("a sks dog", "  café 猫 ", "half-timbered", "a red_brown cat"):
        assert ClipText().wording(prompt) == prompt


@pytest.mark.parametrize("name", ["on_the_beach", "on-the-beach", "_on_the_beach"])
def test_names_are_read_as_words(name: str) -> None:
    assert ClipText().wording(name) == "on the beach"


def test_what_is_no_text_has_no_score() -> None:
    metric = ClipText(strip_token=["sks"])
    assert metric.wording(None) is metric.wording("") is metric.wording(" \n") is NO_PROMPT
    assert (
        metric.wording("0") is metric.wording("prompt_03") is metric.wording("Prompt 12") is NUMBERED_PROMPT
    )
    assert metric.wording("sks") is NOTHING_LEFT
    assert metric.wording("2 cats") == "2 cats"


def test_a_name_that_is_not_utf_8_is_text_all_the_same() -> None:
    wording = ClipText().wording("caf\udce9 at night")
    assert isinstance(wording, str)
    wording.encode()


def test_the_protocol_names_what_is_taken_out() -> None:
    tokens = ["d", "<V>", "a", "c", "b", "sks  dog", "sks"]
    protocol = ClipText(strip_token=[*tokens, "SKS"]).protocol
    assert "without sks dog, <v>, sks, a, b, c, d, no factor" in protocol
    assert ClipText(strip_token=tokens[::-1]).protocol == protocol  # whatever the order
    assert ClipText(strip_token=tokens).wording("a sks dog") == ClipText(strip_token=tokens[::-1]).wording(
        "a sks dog"
    )
    assert "without" not in ClipText(strip_token=[" "]).protocol
    assert ClipText(strip_token=["sks"]).protocol != ClipText(strip_token=["zwx"]).protocol


def test_folders_that_number_prompts_are_no_texts() -> None:
    assert [ClipText().wording(name) for name in ("p2", "P_03", "text 4")] == [NUMBERED_PROMPT] * 3
    assert ClipText().wording("p2p on the beach") == "p2p on the beach"


def test_several_captions_in_a_cell_are_not_one_text() -> None:
    assert [ClipText().wording(cell) for cell in ('["a cat", "a dog"]', ' {"en": "a cat"}')] == [
        SEVERAL_TEXTS
    ] * 2
    assert ClipText().wording("[V] cat on the beach") == "[V] cat on the beach"
