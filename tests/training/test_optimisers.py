from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from nearid_cli.encoders.nearid_model import NearIDModel
from nearid_cli.errors import UsageError
from nearid_cli.training.model import build_model
from nearid_cli.training.optimisers import JointOptimiser, make_optimiser, schedule
from tests.tiny import VISION, write_json


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> NearIDModel:
    folder = tmp_path_factory.mktemp("backbone")
    write_json(folder, "config.json", VISION | {"model_type": "siglip_vision_model"})
    write_json(
        folder, "preprocessor_config.json", {"image_processor_type": "SiglipImageProcessor", "size": 32}
    )
    return build_model(str(folder), from_scratch=True, unfreeze=True)


def names(model: nn.Module, group: dict[str, list[nn.Parameter]]) -> set[str]:
    wanted = {id(parameter) for parameter in group["params"]}
    return {name for name, parameter in model.named_parameters() if id(parameter) in wanted}


def test_adamw_decays_matrices_only(model: NearIDModel) -> None:
    decayed, others = make_optimiser(model, "adamw", 1e-3, 0.1).param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert all(p.ndim > 1 for p in decayed["params"])
    assert all(name.endswith("bias") or "norm" in name for name in names(model, others))
    assert len(decayed["params"]) + len(others["params"]) == len(list(model.parameters()))


def test_muon_takes_the_matrices_of_layers_and_nothing_else(model: NearIDModel) -> None:
    optimiser = make_optimiser(model, "muon", 1e-3, 0.1)
    assert isinstance(optimiser, JointOptimiser)
    muon, *adamw = optimiser.param_groups
    hidden = names(model, muon)
    rest = set().union(*(names(model, group) for group in adamw))
    assert hidden | rest == {name for name, _ in model.named_parameters()}
    assert not hidden & rest
    two = VISION["num_hidden_layers"]
    assert len(hidden) == 6 * two + 4  # q, k, v, out, fc1, fc2 a layer; the head has in, out, fc1, fc2
    others = {name for name in rest if not name.endswith("bias") and "norm" not in name}
    assert {name.split(".")[-1 if name.endswith("probe") else -2] for name in others} == {
        "probe",
        "position_embedding",
        "patch_embedding",
    }


def test_frozen_parameters_are_left_out(model: NearIDModel) -> None:
    layer = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    layer[0].requires_grad_(False)
    for name in ("adamw", "muon"):
        groups = make_optimiser(layer, name, 1e-3, 0.1).param_groups
        assert {id(p) for group in groups for p in group["params"]} == {id(p) for p in layer[1].parameters()}


def test_only_matrices_make_one_optimiser() -> None:
    assert isinstance(make_optimiser(nn.Linear(3, 3, bias=False), "muon", 1e-3, 0.1), torch.optim.Muon)


def test_the_joined_optimiser_steps_like_its_parts() -> None:
    torch.manual_seed(0)
    one, two = nn.Linear(4, 4), nn.Linear(4, 4)
    two.load_state_dict(one.state_dict())
    joined = make_optimiser(one, "muon", 0.1, 0.01)
    parts = [
        torch.optim.Muon([two.weight], lr=0.1, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW([two.bias], lr=0.1, weight_decay=0.0),
    ]
    for step in range(3):
        for optimiser in (joined, *parts):
            for group in optimiser.param_groups:
                group["lr"] = 0.1 / (step + 1)
        for layer in (one, two):
            layer.zero_grad()
            layer(torch.ones(2, 4)).square().sum().backward()
        joined.step()
        for part in parts:
            part.step()
    assert torch.equal(one.weight, two.weight)
    assert torch.equal(one.bias, two.bias)


def test_the_joined_optimiser_goes_on_from_its_state() -> None:
    def step(layer: nn.Linear, optimiser: torch.optim.Optimizer, times: int) -> None:
        for _ in range(times):
            optimiser.zero_grad()
            layer(torch.ones(2, 4)).square().sum().backward()
            optimiser.step()

    torch.manual_seed(0)
    straight, stopped, resumed = (nn.Linear(4, 4) for _ in range(3))
    stopped.load_state_dict(straight.state_dict())
    first = make_optimiser(straight, "muon", 0.1, 0.01)
    step(straight, first, 4)
    before = make_optimiser(stopped, "muon", 0.1, 0.01)
    step(stopped, before, 2)
    resumed.load_state_dict(stopped.state_dict())
    after = make_optimiser(resumed, "muon", 0.5, 0.01)
    after.load_state_dict(before.state_dict())
    # The groups are still the parts' own: a schedule that sets rates here reaches them.
    assert all(
        any(group is own for part in after.parts for own in part.param_groups) for group in after.param_groups
    )
    step(resumed, after, 2)
    assert torch.equal(straight.weight, resumed.weight)
    assert torch.equal(straight.bias, resumed.bias)


def test_an_old_torch_has_no_muon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(UsageError, match=r"--optimizer muon needs torch 2\.9 or newer, found "):
        make_optimiser(nn.Linear(3, 3), "muon", 1e-3, 0.1)
    make_optimiser(nn.Linear(3, 3), "adamw", 1e-3, 0.1)


def test_the_schedule_is_that_of_transformers_but_for_its_first_step_at_zero() -> None:
    from transformers import get_cosine_schedule_with_warmup

    optimiser = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    theirs = get_cosine_schedule_with_warmup(optimiser, 5, 20)
    ours = schedule("cosine", 5, 20)
    for step in range(20):
        if step >= 5:
            assert ours(step) == pytest.approx(theirs.get_last_lr()[0])
        else:
            assert ours(step) == pytest.approx(theirs.get_last_lr()[0] + 1 / 5)
        optimiser.step()
        theirs.step()


def test_schedules() -> None:
    constant = schedule("constant", 4, 10)
    assert [constant(step) for step in (0, 3, 4, 9)] == [0.25, 1.0, 1.0, 1.0]
    assert schedule("cosine", 0, 10)(0) == 1.0
    # A warm-up that is longer than the run only rises.
    short = schedule("cosine", 100, 3)
    assert [short(step) for step in range(3)] == pytest.approx([0.01, 0.02, 0.03])
    assert all(math.isfinite(schedule("cosine", 5, 5)(step)) for step in range(5))
