"""CLIP-T from the command line: prompts, placeholders, what has no prompt, and the same numbers as transformers'."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nearid_cli.encoders.load import load_text_encoder
from tests.commandline import Nearid
from tests.tiny import tiny_clip_with_text

METRICS = "clip-i=./clip,clip-t=./clip"
PROMPTS = {"cat": "a sks cat on the beach", "cup": "a cup, <v>, of tea", "ship": "café in the snow"}


@pytest.fixture(scope="session")
def _clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return tiny_clip_with_text(tmp_path_factory.mktemp("clip") / "clip", positions=24)


@pytest.fixture
def prompted(data: Path, _clip: Path) -> Path:
    """`refs/`, `gens/` with texts beside all generations but `cup/1.png`, and the checkpoint `clip/`."""
    (data / "clip").symlink_to(_clip)
    for picture in (data / "gens").rglob("*.png"):
        picture.with_suffix(".txt").write_text(f"{PROMPTS[picture.parent.name]} {picture.stem}")
    (data / "gens/cup/1.txt").unlink()
    return data


def score(nearid: Nearid, *arguments: str) -> tuple[dict[str, Any], str]:
    finished = nearid("score", "refs", "gens", "--format", "json", *arguments)
    assert finished.code == 0, finished.err
    return json.loads(finished.out), finished.err


def cosines(root: Path, texts: dict[str, str]) -> dict[str, float]:
    """The cosine of each generation and its text, by transformers alone."""
    import transformers

    model = transformers.CLIPModel.from_pretrained(root / "clip").eval()
    tokenizer = transformers.CLIPTokenizer.from_pretrained(root / "clip")
    processor = transformers.CLIPImageProcessorPil.from_pretrained(root / "clip")
    found = {}
    for name, text in texts.items():
        with Image.open(root / "gens" / name) as picture, torch.no_grad():
            output = model(
                **tokenizer([text], truncation=True, return_tensors="pt"),
                pixel_values=processor(picture.convert("RGB"), return_tensors="pt")["pixel_values"],
            )
        found[name] = float(output.text_embeds[0] @ output.image_embeds[0])
    return found


def test_scores_are_those_of_transformers(nearid: Nearid, prompted: Path) -> None:
    result, _ = score(nearid, "-m", METRICS)
    images = {one["path"]: one for one in result["images"] if "prompt" in one}
    assert {path: one["prompt"] for path, one in images.items()} == {
        f"{subject}/{number}.png": f"{prompt} {number}"
        for subject, prompt in PROMPTS.items()
        for number in range(3)
        if (subject, number) != ("cup", 1)
    }
    expected = cosines(prompted, {path: one["prompt"] for path, one in images.items()})
    for path, one in images.items():
        assert one["scores"]["clip-t"] == pytest.approx(expected[path], abs=1e-6)
    assert np.ptp(list(expected.values())) > 0.05  # so agreement means something
    subject = next(one for one in result["subjects"] if one["subject"] == "cat")["scores"]["clip-t"]
    mean = np.mean([expected[path] for path in expected if path.startswith("cat/")])
    assert subject["score"] == pytest.approx(mean, abs=1e-6)


def test_what_the_result_says(nearid: Nearid, prompted: Path) -> None:
    result, messages = score(nearid, "-m", METRICS)
    pictures, texts = result["metrics"]
    assert (texts["kind"], texts["against"]) == ("text", "prompts")
    assert texts["protocol"] == (
        "cosine similarity of generation and prompt, no factor; mean over the generations of a subject"
    )
    assert texts["preprocessing"].startswith(pictures["preprocessing"])
    assert texts["preprocessing"].endswith("prompts by the checkpoint's tokenizer, at most 24 tokens")
    assert texts["fingerprint"] != pictures["fingerprint"]
    for numbers in (result["aggregate"]["clip-t"], result["subjects"][1]["scores"]["clip-t"]):
        assert numbers["ceiling"] is numbers["floor"] is numbers["retention"] is None
        assert numbers["identification"] is None
        assert numbers["missing"] == 1
    (lacking,) = [one for one in result["images"] if "prompt" not in one]
    assert lacking["path"] == "cup/1.png"
    assert lacking["scores"]["clip-t"] is None
    assert lacking["scores"]["clip-i"] is not None
    assert lacking["reasons"] == {"clip-t": "no prompt"}
    assert result["aggregate"]["clip-i"]["ceiling"] is not None
    assert messages.count("no prompt") == 1


def test_without_any_prompt_there_is_no_number(nearid: Nearid, prompted: Path) -> None:
    for text in (prompted / "gens").rglob("*.txt"):
        text.unlink()
    result, messages = score(nearid, "-m", METRICS, "--strip-token", "sks")
    assert "placeholder" not in messages
    assert result["aggregate"]["clip-t"]["score"] is None
    assert result["aggregate"]["clip-t"]["missing"] == 9
    assert result["aggregate"]["clip-i"]["score"] is not None


def test_placeholders_are_part_of_the_protocol(nearid: Nearid, prompted: Path) -> None:
    whole, _ = score(nearid, "-m", METRICS, "-o", "whole.json")
    bare, _ = score(nearid, "-m", METRICS, "--strip-token", "sks", "--strip-token", "<v>", "-o", "bare.json")
    expected = cosines(prompted, {"cat/0.png": "a cat on the beach 0", "cup/0.png": "a cup,, of tea 0"})
    for path, number in expected.items():
        (one,) = [one for one in bare["images"] if one["path"] == path]
        (before,) = [one for one in whole["images"] if one["path"] == path]
        assert one["scores"]["clip-t"] == pytest.approx(number, abs=1e-6)
        assert abs(one["scores"]["clip-t"] - before["scores"]["clip-t"]) > 1e-4
        assert one["scores"]["clip-i"] == before["scores"]["clip-i"]
        assert one["prompt"] == before["prompt"]  # as it was found
    assert "without <v>, sks" in bare["metrics"][1]["protocol"]
    refused = nearid("compare", "--method", "a=whole.json", "--method", "b=bare.json")
    assert refused.code == 2
    assert "clip-t" in refused.err


def test_a_placeholder_that_no_prompt_has_is_told(nearid: Nearid, prompted: Path) -> None:
    _, messages = score(nearid, "-m", "clip-t=./clip", "--strip-token", "sks,zwx", "--strip-token", "SKS")
    assert "warning: clip-t: no prompt has the placeholder sks,zwx\n" in messages


def test_the_configuration_gives_placeholders(nearid: Nearid, prompted: Path) -> None:
    (prompted / "nearid.toml").write_text('strip-token = "sks"\n')
    result, _ = score(nearid, "-m", "clip-t=./clip")
    assert "without sks," in result["metrics"][0]["protocol"]


def test_a_warm_run_is_the_same_to_the_bit_and_imports_no_torch(nearid: Nearid, prompted: Path) -> None:
    cold, _ = score(nearid, "-m", METRICS)
    program = (
        "import sys; from nearid_cli.cli.app import main; "
        f"code = main(['score', 'refs', 'gens', '-m', '{METRICS}', '--format', 'json']); "
        "print(sorted({'torch', 'transformers', 'tokenizers'} & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    warm = subprocess.run(
        [sys.executable, "-c", program], cwd=prompted, capture_output=True, text=True, check=True
    )
    assert warm.stderr.splitlines()[-1] == "[]"
    again = json.loads(warm.stdout)
    assert [one["scores"] for one in again["images"]] == [one["scores"] for one in cold["images"]]
    assert again["aggregate"] == cold["aggregate"]


def test_pictures_are_embedded_once_for_both(nearid: Nearid, prompted: Path) -> None:
    score(nearid, "-m", METRICS)
    lines = nearid("cache", "info").out.splitlines()
    (pictures,) = [line.split() for line in lines if line.startswith("clip-i")]
    (texts,) = [line.split() for line in lines if line.startswith("clip-t")]
    assert (pictures[3], texts[3]) == ("15", "8")
    assert nearid("cache", "verify").code == 0


def test_other_commands_say_that_it_takes_prompts(nearid: Nearid, prompted: Path) -> None:
    for arguments in (
        ("pair", "refs/cat/0.jpg", "refs/cat/1.jpg"),
        ("embed", "refs", "-o", "e.parquet"),
    ):
        refused = nearid(*arguments, "-m", "clip-t=./clip")
        assert refused.code == 2
        assert refused.err.count("\n") == 1
        assert "clip-t" in refused.err


def test_compare_and_every_format(nearid: Nearid, prompted: Path) -> None:
    outputs = [part for name in ("c.json", "c.csv", "c.md", "c.tex", "c.html") for part in ("-o", name)]
    compared = nearid(
        *("compare", "--method", "a=gens", "--method", "b=gens", "--refs", "refs", "-m", METRICS), *outputs
    )
    assert compared.code == 0, compared.err
    assert all((prompted / name).stat().st_size for name in outputs[1::2])
    found = json.loads((prompted / "c.json").read_text())["comparisons"]
    assert [one["delta"] for one in found if one["metric"] == "clip-t"] == [0]


def test_the_text_half_is_loaded_once_for_all_methods(
    nearid: Nearid, prompted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(prompted / "gens", prompted / "others")
    for text in (prompted / "others").rglob("*.txt"):
        text.write_text(f"{text.read_text()} again")
    loads = []

    def load(*arguments: Any) -> Any:
        loads.append(arguments)
        return load_text_encoder(*arguments)

    monkeypatch.setattr("nearid_cli.encoders.load.load_text_encoder", load)
    methods = ("--method", "a=gens", "--method", "b=others", "--refs", "refs")
    assert nearid("compare", *methods, "-m", "clip-t=./clip").code == 0
    assert len(loads) == 1


def test_models_know_it(nearid: Nearid, prompted: Path) -> None:
    found = nearid("models", "info", "clip-t=./clip")
    assert found.code == 0, found.err
    assert "prompts by the checkpoint's tokenizer, at most 24 tokens" in " ".join(found.out.split())
    result, _ = score(nearid, "-m", "clip-t=./clip")
    assert result["metrics"][0]["fingerprint"] in found.out
    verified = nearid("models", "verify", "clip-t=./clip")
    assert verified.code == 0, verified.err
    assert {line.split()[0] for line in verified.out.splitlines()} >= {"vocab.json", "merges.txt"}


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("clip-t=./clip::pooled", "clip-t"),
        ("clip-t=./refs", "expected"),
        ("clip-t=nonsense", "expected a folder with config.json, found no folder nonsense"),
    ],
)
def test_what_is_refused_in_one_line(nearid: Nearid, prompted: Path, metric: str, message: str) -> None:
    refused = nearid("score", "refs", "gens", "-m", metric)
    assert refused.code == 2
    assert message in refused.err
    assert "Traceback" not in refused.err
