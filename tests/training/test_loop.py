"""Training runs: that they learn, that everything follows from the options, and that a stop changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nearid_cli.errors import InputError, ModelError, UsageError
from nearid_cli.nearid_data import open_source
from nearid_cli.training import loop
from nearid_cli.training.features import FeatureCache
from nearid_cli.training.loop import train
from nearid_cli.training.options import Augmentations
from nearid_cli.training.trainee import Trainee, make_trainee
from tests.nearid_data.making import encoded, saved, table
from tests.tiny import BUILDERS, SIZE
from tests.training.running import (
    ROWS,
    VALIDATION,
    assert_same_run,
    journal,
    make_data,
    options,
    weights,
)

# Everything random, and both optimisers.
RANDOM: dict[str, Any] = {
    "augmentations": Augmentations(flip=0.5, jitter=0.5, translate=0.5),
    "optimizer": "muon",
    "mixed_precision": "bf16",
    "anchors": "all",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("backbones")
    return {name: BUILDERS[name](root / name) for name in ("siglip", "clip", "dinov2", "vit", "nearid")}


@pytest.fixture(scope="module")
def straight(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of six steps that nothing stopped."""
    output = tmp_path_factory.mktemp("runs") / "straight"
    train(options(data, output, **RANDOM))
    return output


def interrupt_after(
    monkeypatch: pytest.MonkeyPatch, step: int, number: signal.Signals = signal.SIGINT
) -> None:
    """Send a real signal in the middle of a step."""
    objective_of = loop.parse_objective

    def parse(*arguments: str) -> Any:
        objective, calls = objective_of(*arguments), 0

        def compute(*tensors: torch.Tensor) -> Any:
            nonlocal calls
            calls += 1
            if calls == step:
                os.kill(os.getpid(), number)
            return objective(*tensors)

        return compute

    monkeypatch.setattr(loop, "parse_objective", parse)


def test_it_learns(data: Path, tmp_path: Path) -> None:
    result = train(options(data, tmp_path / "run", max_steps=40, save_steps=20, lr=5e-3))
    lines = journal(tmp_path / "run")
    assert [line["step"] for line in lines] == [0, *range(1, 21), 20, *range(21, 41), 40]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    chance, learnt = lines[0], lines[-1]
    assert learnt["pa"] > chance["pa"] + 0.3
    assert learnt["mean_margin"] > 0 > chance["mean_margin"]
    assert (result.step, result.steps, result.interrupted) == (40, 40, False)
    assert {"step": 40, **result.metrics} == learnt
    assert result.model.resolve().parent.parent == tmp_path / "run"


def test_the_same_options_give_the_same_run(data: Path, straight: Path, tmp_path: Path) -> None:
    train(options(data, tmp_path / "again", **RANDOM))
    assert_same_run(straight, tmp_path / "again")
    train(options(data, tmp_path / "other", seed=1, **RANDOM))
    assert journal(straight) != journal(tmp_path / "other")


def test_workers_change_nothing(data: Path, straight: Path, tmp_path: Path) -> None:
    train(options(data, tmp_path / "run", workers=2, **RANDOM))
    assert_same_run(straight, tmp_path / "run")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_was_interrupted_and_resumed_is_the_uninterrupted_one(
    data: Path, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    with monkeypatch.context() as patched:
        interrupt_after(patched, 3, number)
        result = train(options(data, tmp_path / "run", **RANDOM))
    assert (result.step, result.interrupted) == (3, True)
    assert result.checkpoint == tmp_path / "run" / "checkpoint-3"
    assert json.loads((result.checkpoint / "metrics.json").read_text()) == {}
    result = train(options(data, tmp_path / "run", resume=True, **RANDOM))
    assert (result.step, result.interrupted) == (6, False)
    assert_same_run(straight, tmp_path / "run")
    # Time is counted over both sessions.
    seconds = [
        json.loads(line)["timing"]["seconds"]
        for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
        if "timing" in line
    ]
    assert seconds == sorted(seconds)


def test_accumulation_and_dropped_rows_go_on_too(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 16 rows in steps of 2 x 3 make two steps an epoch, and leave four rows over.
    settings: dict[str, Any] = {**RANDOM, "batch_size": 3, "gradient_accumulation": 2, "head": "mlp"}
    train(options(data, tmp_path / "straight", **settings))
    with monkeypatch.context() as patched:
        interrupt_after(patched, 6)
        train(options(data, tmp_path / "run", **settings))
    train(options(data, tmp_path / "run", resume=True, **settings))
    assert_same_run(tmp_path / "straight", tmp_path / "run")
    assert [line["epoch"] for line in journal(tmp_path / "run") if "epoch" in line] == [0, 0, 1, 1, 2, 2]


def test_a_finished_run_can_be_made_longer(data: Path, straight: Path, tmp_path: Path) -> None:
    settings = {**RANDOM, "schedule": "constant"}  # whose past does not depend on the length
    train(options(data, tmp_path / "long", max_steps=8, **settings))
    train(options(data, tmp_path / "short", max_steps=5, **settings))
    train(options(data, tmp_path / "short", max_steps=8, resume=True, **settings))
    assert [line for line in journal(tmp_path / "short") if line["step"] != 5 or "loss" in line] == journal(
        tmp_path / "long"
    )
    same = [weights(tmp_path / run / "checkpoint-8") for run in ("long", "short")]
    assert all(torch.equal(same[0][name], same[1][name]) for name in same[0])


def test_resuming_a_finished_run_does_nothing(data: Path, straight: Path) -> None:
    before = journal(straight)
    result = train(options(data, straight, resume=True, **RANDOM))
    assert (result.step, result.interrupted) == (6, False)
    assert journal(straight) == before


def test_a_run_that_was_killed_before_it_pointed_at_the_best_does_so_when_it_goes_on(
    data: Path, straight: Path, tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    shutil.copytree(straight, killed, symlinks=True)
    best = killed / "best"
    right = best.readlink()
    best.unlink()
    best.symlink_to(next(path.name for path in killed.glob("checkpoint-*") if path.name != right.name))
    train(options(data, killed, resume=True, **RANDOM))
    assert best.readlink() == right


def test_resume_refuses_other_options_and_names_them_all(data: Path, straight: Path) -> None:
    changes = {**RANDOM, "lr": 0.5, "head": "mlp", "mixed_precision": "no"}
    with pytest.raises(UsageError) as error:
        train(options(data, straight, resume=True, **changes))
    assert "was made with other options" in error.value.message
    assert error.value.details == (
        "--head: map then, mlp now",
        "--lr: 0.001 then, 0.5 now",
        "--mixed-precision: bf16 then, no now",
    )
    with pytest.raises(UsageError, match="other options") as error:
        train(options(data, straight, resume=True, **(RANDOM | {"augmentations": Augmentations(flip=0.1)})))
    (line,) = error.value.details
    assert line.startswith("--augmentations: flip 0.5, jitter 0.5")
    with pytest.raises(UsageError, match="other options") as error:
        train(options(data, straight, resume=True, max_steps=4, **RANDOM))
    assert error.value.details == ("--max-steps: 6 then, 4 now",)
    # What no weight depends on may differ.
    train(options(data, straight, resume=True, workers=1, save_steps=5, keep=9, **RANDOM))


def test_resume_refuses_other_data(data: Path, straight: Path, tmp_path: Path) -> None:
    other = make_data(tmp_path / "data", rows=ROWS + 1)
    there = json.loads((straight / "checkpoint-6" / "state.json").read_text())["options"]
    for name in ("positives", "distractors"):
        (data / name).rename(data / f"{name}.kept")
        (other / name).rename(data / name)
    try:
        assert there["positives"] == str(data / "positives")
        with pytest.raises(UsageError, match="was made with other data") as error:
            train(options(data, straight, resume=True, **RANDOM))
        assert "rows 16" in error.value.details[0]
        assert "rows 17" in error.value.details[0]
    finally:
        for name in ("positives", "distractors"):
            (data / name).rename(other / name)
            (data / f"{name}.kept").rename(data / name)


def test_a_folder_with_a_run_is_not_overwritten(data: Path, straight: Path) -> None:
    before = sorted(straight.rglob("*"))
    with pytest.raises(UsageError, match=r"holds a training run \(checkpoint-6\): go on with --resume"):
        train(options(data, straight, **RANDOM))
    assert sorted(straight.rglob("*")) == before


def test_resume_where_nothing_is_starts(data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    result = train(options(data, tmp_path / "new", resume=True, max_steps=1, save_steps=1))
    assert result.step == 1
    assert f"nothing to resume in {tmp_path / 'new'}: starting at step 0" in caplog.messages


def test_what_a_run_leaves(data: Path, straight: Path) -> None:
    made = json.loads((straight / "training.json").read_text())
    assert made["options"]["lr"] == 1e-3
    assert made["options"]["augmentations"]["jitter"] == 0.5
    assert made["data"]["training"]["rows"] == ROWS - VALIDATION
    assert (made["steps"], made["steps_per_epoch"], made["processes"]) == (6, 4, 1)
    assert made["trained_parameters"] == made["parameters"]
    assert {"torch", "transformers", "accelerate", "python"} <= made["versions"].keys()
    assert {path.name for path in straight.iterdir()} == {
        "training.json",
        "metrics.jsonl",
        "best",
        "checkpoint-2",
        "checkpoint-4",
        "checkpoint-6",
    }
    steps = [line for line in journal(straight) if "loss" in line]
    assert [line["lr"] for line in steps[:3]] == [0.0005, 0.001, 0.001]
    assert all(line["infonce_ext"] == line["loss"] and line["gradient_norm"] > 0 for line in steps)


@pytest.mark.parametrize("head", ["map", "mlp"])
@pytest.mark.parametrize("name", ["siglip", "clip", "dinov2", "vit", "nearid"])
def test_every_trained_weight_gets_a_gradient(
    data: Path, backbones: dict[str, Path], tmp_path: Path, name: str, head: str
) -> None:
    """Processes that train together wait for all of them."""
    if (name, head) == ("nearid", "mlp"):
        return  # goes on with the head that it has
    made = options(
        data, tmp_path, backbone=str(backbones[name]), from_scratch=False, head=head, embed_dim=None
    )
    trainee = make_trainee(made, "cpu")
    pixels = torch.randint(0, 256, (2, 6, 3, SIZE, SIZE), dtype=torch.uint8)
    (trainee(pixels) * torch.randn(32)).sum().backward()
    assert [name for name, weight in trainee.trained().items() if weight.grad is None] == []


@pytest.mark.parametrize("name", ["siglip", "dinov2"])
def test_a_frozen_backbone_stays_as_it_was(
    data: Path, backbones: dict[str, Path], tmp_path: Path, name: str
) -> None:
    settings: dict[str, Any] = {
        "backbone": str(backbones[name]),
        "from_scratch": False,
        "unfreeze": False,
        "embed_dim": 24,
    }
    start = {
        key: value.clone()
        for key, value in make_trainee(options(data, tmp_path, **settings), "cpu").model.state_dict().items()
    }
    train(options(data, tmp_path / "run", max_steps=2, **settings))
    trained = make_trainee(
        options(data, tmp_path, init_from=tmp_path / "run" / "checkpoint-2", **settings), "cpu"
    )
    moved = {key for key, value in trained.model.state_dict().items() if not torch.equal(value, start[key])}
    assert moved == set(trained.trained())
    made = json.loads((tmp_path / "run" / "training.json").read_text())
    assert 0 < made["trained_parameters"] < made["parameters"]


def test_the_saved_model_embeds_as_the_trained_one(data: Path, straight: Path) -> None:
    from transformers import AutoModel

    from nearid_cli.training.model import load_preprocessing

    saved_model = AutoModel.from_pretrained(straight / "checkpoint-6" / "model").eval()
    pixels = torch.randint(0, 256, (2, 6, 3, SIZE, SIZE), dtype=torch.uint8)
    trainee = make_trainee(options(data, straight), "cpu").eval()
    trainee.load_trained(torch.load(straight / "checkpoint-6" / "state.pt", weights_only=True)["trained"])
    preprocessing = load_preprocessing(str(straight / "checkpoint-6" / "model"))
    flat = pixels.flatten(0, 1).permute(0, 2, 3, 1).numpy()
    with torch.no_grad():
        ours = trainee(pixels).flatten(0, 1)
        theirs = saved_model(preprocessing.normalise(list(flat), "cpu")).image_embeds
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


def test_a_stage_starts_from_the_weights_of_another(data: Path, straight: Path, tmp_path: Path) -> None:
    result = train(options(data, tmp_path / "two", init_from=straight / "checkpoint-6", max_steps=1, lr=0.0))
    ours, theirs = weights(result.checkpoint), weights(straight / "checkpoint-6")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    # The evaluation at step 0 is that of the stage before.
    assert journal(tmp_path / "two")[0]["mean_margin"] == pytest.approx(
        journal(straight)[-1]["mean_margin"],
        abs=0.01,  # which was made in bfloat16
    )
    again = train(
        options(data, tmp_path / "three", init_from=straight / "checkpoint-6" / "model", max_steps=1, lr=0.0)
    )
    assert weights(again.checkpoint).keys() == theirs.keys()


def test_a_resumed_stage_needs_no_earlier_one(data: Path, backbones: dict[str, Path], tmp_path: Path) -> None:
    settings: dict[str, Any] = {"backbone": str(backbones["siglip"]), "from_scratch": False}
    first = train(options(data, tmp_path / "first", max_steps=2, **settings))
    # The second trains a head on the tower of the first, which is in no --backbone.
    settings |= {"init_from": first.checkpoint, "unfreeze": False}
    whole = train(options(data, tmp_path / "whole", max_steps=2, save_steps=1, **settings))
    shutil.copytree(tmp_path / "whole" / "checkpoint-1", tmp_path / "gone" / "checkpoint-1")
    shutil.rmtree(first.output)
    resumed = train(
        options(data, tmp_path / "gone", max_steps=2, save_steps=1, resume=True, **settings),
    )
    ours, theirs = weights(resumed.checkpoint), weights(whole.checkpoint)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_run_in_place_of_a_checkpoint(data: Path, straight: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"found a run with \d+ checkpoints .* name one, as .*straight/best"):
        train(options(data, tmp_path / "run", init_from=straight))


def test_an_output_that_is_no_folder(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for output in (tmp_path / "file", tmp_path / "file" / "in" / "it"):
        with pytest.raises(UsageError, match=r"--output .*: expected a folder, found a file at .*file$"):
            train(options(data, output))


def test_a_stage_of_another_architecture_is_refused(
    data: Path, straight: Path, backbones: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="not of the same architecture") as error:
        train(options(data, tmp_path / "run", head="mlp", init_from=straight / "checkpoint-6"))
    assert "backbone.head.attention.in_proj_bias: 96 there, nothing here" in error.value.details
    with pytest.raises(ModelError, match="--init-from takes a NearID checkpoint, found siglip"):
        train(options(data, tmp_path / "run", init_from=backbones["siglip"]))
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_stops_the_run(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the loss is nan at step 2: try a lower --lr") as error:
        train(options(data, tmp_path / "run", lr=1e30, warmup_steps=0, clip_norm=0.0, save_steps=9))
    assert "nothing is saved yet" in error.value.message
    assert [line["step"] for line in journal(tmp_path / "run")] == [0, 1]


def test_weights_that_are_not_finite_are_not_saved(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(options(data, tmp_path / "run", max_steps=1, schedule="constant"))
    step_as_it_is = loop._Run._step

    def overflowing(run: Any, batches: Any) -> None:
        step_as_it_is(run, batches)
        with torch.no_grad():
            next(iter(run.trainee.trained().values())).view(-1)[0] = float("inf")

    monkeypatch.setattr(loop._Run, "_step", overflowing)
    with pytest.raises(InputError, match="the weights are not finite at step 2: try a lower --lr") as error:
        train(options(data, tmp_path / "run", resume=True, max_steps=2, schedule="constant"))
    assert "checkpoint-1 is whole" in error.value.message
    assert not (tmp_path / "run" / "checkpoint-2").exists()


def test_rows_with_empty_slots(tmp_path: Path) -> None:
    data = make_data(tmp_path, empty=True)
    train(options(data, tmp_path / "run", max_steps=4))
    lines = journal(tmp_path / "run")
    assert lines[0]["trials"] < 6 * VALIDATION
    assert all(np.isfinite(line["loss"]) for line in lines if "loss" in line)


def test_mtg_data_join_in(data: Path, tmp_path: Path) -> None:
    pictures = {
        f"image_{number}_{kind}": [
            encoded(np.random.default_rng(row).integers(0, 256, (SIZE, SIZE, 3), np.uint8))
            for row in range(3)
        ]
        for number in (1, 2)
        for kind in ("original", "inpainted")
    }
    mtg = saved(table(pictures), tmp_path / "mtg")
    train(options(data, tmp_path / "run", mtg=mtg, mtg_repeat=2, max_steps=None, epochs=1))
    made = json.loads((tmp_path / "run" / "training.json").read_text())
    assert made["steps_per_epoch"] == (ROWS - VALIDATION + 2 * 3) // 4
    assert made["data"]["mtg"]["rows"] == 3


def test_cached_features_train_the_head_as_pictures_do(
    data: Path, backbones: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {
        "backbone": str(backbones["siglip"]),
        "from_scratch": False,
        "unfreeze": False,
    }
    train(options(data, tmp_path / "pictures", **settings))
    seen: list[torch.dtype] = []
    forward = Trainee.forward

    def noting(self: Trainee, pixels: torch.Tensor) -> torch.Tensor:
        if self.training:
            seen.append(pixels.dtype)
        return forward(self, pixels)

    monkeypatch.setattr(Trainee, "forward", noting)
    cached = {**settings, "cache_features": True, "features": tmp_path / "features"}
    train(options(data, tmp_path / "cached", **cached))
    assert set(seen) == {torch.float16}
    # float16 tokens: alike, not equal.
    ours, theirs = (
        [line["loss"] for line in journal(tmp_path / name) if "loss" in line]
        for name in ("cached", "pictures")
    )
    assert ours == pytest.approx(theirs, rel=0.02)
    assert ours != theirs
    # A second run computes nothing.
    monkeypatch.setattr(FeatureCache, "_embed", None)
    train(options(data, tmp_path / "more", lr=2e-3, **cached))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unfreeze": False}, "--from-scratch needs --unfreeze"),
        ({"distractors": ()}, "expected --distractors"),
        ({"head": "mapx"}, 'unknown --head "mapx": did you mean map?'),
        ({"optimizer": "adam"}, 'unknown --optimizer "adam": did you mean adamw?'),
        ({"log": ("tensorbord",)}, 'unknown --log "tensorbord": did you mean tensorboard?'),
        ({"loss": "infonce"}, 'cannot use the loss "infonce"'),
        ({"cache_features": True, "mtg": "x"}, "leave out --unfreeze, --mtg"),
        ({"lr": float("inf")}, "--lr takes a finite number, found inf"),
        ({"clip_norm": float("nan")}, "--clip-norm takes a finite number, found nan"),
        (
            {
                "cache_features": True,
                "unfreeze": False,
                "from_scratch": False,
                "augmentations": Augmentations(jitter=0.1),
            },
            "leave out --jitter",
        ),
        ({"cache_features": True, "unfreeze": False, "from_scratch": False, "mtg": "x"}, "leave out --mtg"),
        ({"features": Path("x")}, "--features says where --cache-features keeps them"),
        ({"validation_positives": "x"}, "--validation-positives needs --validation-distractors"),
        (
            {"validation_rows": None, "validation_distractors": ("x",)},
            "--validation-distractors needs --validation-rows or --validation-positives",
        ),
    ],
)
def test_options_that_do_not_go_together(
    data: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as error:
        options(data, tmp_path, **changes)
    assert message in error.value.message


def test_validation_rows_are_not_trained_on(data: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(json.dumps([3, 4, 5, 0, 9, 10]))
    with pytest.raises(UsageError) as error:
        train(options(data, tmp_path / "run", rows=str(tmp_path / "rows.json")))
    assert error.value.message == "2 rows of --validation-rows are in --rows too: 0, 3"


def test_rows_by_a_column_are_those_of_a_list(data: Path, tmp_path: Path) -> None:
    """Training and validation by the data set's own split see the same data as by lists of its rows."""
    positives = open_source(str(data / "positives"))
    split = ["val" if row < VALIDATION else "train" if row % 2 else "test" for row in range(ROWS)]
    marked = tmp_path / "positives"
    positives.add_column("split", split).save_to_disk(str(marked))
    lists = {name: str(tmp_path / f"{name}.json") for name in ("train", "val")}
    for name, path in lists.items():
        Path(path).write_text(json.dumps([row for row, own in enumerate(split) if own == name]))
    for name, given in (
        ("columns", {"rows": "split=train", "validation_rows": "split=val"}),
        ("lists", {"rows": lists["train"], "validation_rows": lists["val"]}),
    ):
        train(options(data, tmp_path / name, positives=str(marked), max_steps=1, **given))
    seen, listed = (
        json.loads((tmp_path / name / "training.json").read_text()) for name in ("columns", "lists")
    )
    assert seen["data"] == listed["data"]
    assert seen["options"]["rows"] == "split=train"


def test_validation_data_of_its_own(data: Path, tmp_path: Path) -> None:
    other = make_data(tmp_path / "other", rows=7)
    train(
        options(
            data,
            tmp_path / "run",
            validation_rows=None,
            validation_positives=str(other / "positives"),
            validation_distractors=(str(other / "distractors"),),
            max_steps=1,
        )
    )
    assert journal(tmp_path / "run")[0]["samples"] == 7
    assert json.loads((tmp_path / "run" / "training.json").read_text())["data"]["training"]["rows"] == ROWS


def test_without_validation_rows(data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    result = train(options(data, tmp_path / "run", validation_rows=None, max_steps=2))
    assert [line["step"] for line in journal(tmp_path / "run")] == [1, 2]
    assert not (tmp_path / "run" / "best").exists()
    assert result.model == tmp_path / "run" / "checkpoint-2" / "model"
    (line,) = [message for message in caplog.messages if message.startswith("step ")]
    assert line.startswith("step 2 of 2: loss ")


def test_trackers_that_are_not_installed(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError) as error:
        train(options(data, tmp_path / "run", log=("tensorboard", "wandb")))
    assert error.value.message == ("--log tensorboard wandb is not installed: pip install tensorboard wandb")


def test_scaled_gradients_are_the_gradients(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """float16 with its scaler: as without, whatever the optimiser, and its state is part of a checkpoint."""
    settings: dict[str, Any] = {"optimizer": "muon", "lr": 1e-3}
    train(options(data, tmp_path / "plain", **settings))
    settings["mixed_precision"] = "fp16"
    train(options(data, tmp_path / "straight", **settings))
    norms = [
        [line["gradient_norm"] for line in journal(tmp_path / name) if "loss" in line]
        for name in ("plain", "straight")
    ]
    assert norms[0] == pytest.approx(norms[1], rel=0.1)
    with monkeypatch.context() as patched:
        interrupt_after(patched, 3)
        train(options(data, tmp_path / "run", **settings))
    train(options(data, tmp_path / "run", resume=True, **settings))
    assert_same_run(tmp_path / "straight", tmp_path / "run")
    state = torch.load(tmp_path / "run" / "checkpoint-6" / "state.pt", weights_only=True)
    assert bool(state["scaler"]) is torch.cuda.is_available()  # a CPU has no need to scale
