"""`NearIDScore` does what torchmetrics expects of a metric, and gives the numbers of `nearid_cli.score`."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from torchmetrics import Metric, MetricCollection
from torchmetrics.aggregation import MeanMetric
from torchmetrics.wrappers import MetricTracker

import nearid_cli
from nearid_cli.errors import InputError
from nearid_cli.integrations.torchmetrics import NearIDScore
from tests.integrations.share import joined
from tests.looping import Paths, tensor

Numbers = dict[str, torch.Tensor]


def expected(refs: Paths, gens: Paths, metrics: str | list[str] = "hog") -> dict[str, float | None]:
    result = nearid_cli.score(refs, gens, metrics, allow_unmatched=True)
    found = {}
    for name, one in result.aggregate.items():
        found |= {
            name: one.score,
            f"{name}_ceiling": one.ceiling,
            f"{name}_floor": one.floor,
            f"{name}_retention": one.retention,
            f"{name}_identification": one.identification,
        }
    return found


def agree(numbers: Numbers, wanted: dict[str, float | None]) -> bool:
    """Whether all numbers are the same to the last bit, NaN where there is none."""
    assert all(one.shape == () and one.dtype == torch.float64 for one in numbers.values())
    plain = {name: None if one.isnan() else one.item() for name, one in numbers.items()}
    return plain == wanted


def filled(metric: NearIDScore, gens: Paths) -> NearIDScore:
    for subject, files in gens.items():
        metric.update(files, subject=subject)
    return metric


def test_numbers_are_those_of_score(refs: Paths, gens: Paths) -> None:
    metric = NearIDScore(["hog", "nearid-mini"], refs)
    assert isinstance(metric, Metric)
    assert agree(filled(metric, gens).compute(), expected(refs, gens, ["hog", "nearid-mini"]))
    assert agree(metric.compute(), expected(refs, gens, ["hog", "nearid-mini"]))


def test_forward_gives_the_batch_and_takes_it(refs: Paths, gens: Paths) -> None:
    metric = NearIDScore("hog", refs)
    for subject, files in gens.items():
        batch = torch.stack([tensor(one) for one in files]) / 255
        value = metric(batch, subject=subject, prompt="a prompt")
        assert agree(value, expected(refs, {subject: files}))
        assert value["hog_retention"].isnan()  # of one subject
    assert metric.update_count == 3
    assert agree(metric.compute(), expected(refs, gens))


def test_reset_and_nothing_yet(refs: Paths, gens: Paths) -> None:
    metric = filled(NearIDScore("hog", refs), gens)
    metric.compute()
    metric.reset()
    assert metric.update_count == 0
    with pytest.warns(UserWarning, match="compute"), pytest.raises(InputError, match="no generations yet"):
        metric.compute()
    only = {"cup": gens["cup"]}
    assert agree(filled(metric, only).compute(), expected(refs, only))


def test_copies_have_states_of_their_own(refs: Paths, gens: Paths) -> None:
    metric = NearIDScore("nearid-mini", refs)
    metric.update(gens["cat"], subject="cat")
    rest = {name: files for name, files in gens.items() if name != "cat"}
    for other in (metric.clone(), copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))):
        assert agree(filled(other, rest).compute(), expected(refs, gens, "nearid-mini"))
    assert agree(metric.compute(), expected(refs, {"cat": gens["cat"]}, "nearid-mini"))


def test_states_are_saved_sent_and_merged(refs: Paths, gens: Paths) -> None:
    metric = NearIDScore("hog", refs)
    assert dict(metric.state_dict()) == {}  # as of every metric
    assert list(metric.parameters()) == []
    metric.persistent(True)
    kept = filled(metric, gens).state_dict()
    other = NearIDScore("hog", refs)
    other.persistent(True)
    other.load_state_dict(kept)
    other._update_count = 1  # torchmetrics does not keep it
    assert agree(other.compute(), expected(refs, gens))
    first = filled(NearIDScore("hog", refs), {"cat": gens["cat"]})
    second = filled(NearIDScore("hog", refs), {name: gens[name] for name in ("cup", "ship")})
    first.merge_state(second)
    assert agree(first.compute(), expected(refs, gens))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_another_dtype_or_device_loses_nothing(refs: Paths, gens: Paths, dtype: torch.dtype) -> None:
    metric = NearIDScore("hog", refs).set_dtype(dtype).to("cpu")
    filled(metric, {"cat": gens["cat"]})
    metric.set_dtype(dtype)  # of what is there already, too
    filled(metric, {name: gens[name] for name in ("cup", "ship")})
    assert agree(metric.compute(), expected(refs, gens))
    assert NearIDScore("hog", refs, compute_on_cpu=True).compute_on_cpu


def test_a_collection_takes_it(refs: Paths, gens: Paths) -> None:
    swapped = {"cat": refs["cup"], "cup": refs["ship"], "ship": refs["cat"]}
    collection = MetricCollection(
        {"own": NearIDScore("hog", refs), "other": NearIDScore("hog", swapped), "loss": MeanMetric()},
        prefix="val/",
    )
    for subject, files in gens.items():
        collection.update(generations=files, subject=subject, value=torch.tensor(2.0))
    found = collection.compute()
    assert found["val/loss"] == 2
    names = expected(refs, gens)
    own = {name: found[f"val/own_{name}"] for name in names}
    other = {name: found[f"val/other_{name}"] for name in names}
    assert agree(own, names)
    assert agree(other, expected(swapped, gens))
    copied = collection.clone(prefix="test/")
    copied.reset()
    assert set(copied(generations=gens["cat"], subject="cat", value=torch.tensor(1.0))) == {
        name.replace("val/", "test/") for name in found
    }
    assert agree({name: collection.compute()[f"val/own_{name}"] for name in names}, names)


def test_a_collection_of_one_keeps_its_names(refs: Paths, gens: Paths) -> None:
    collection = MetricCollection([NearIDScore("hog", refs)])
    value = collection(gens["cat"], subject="cat")
    assert sorted(value) == sorted(expected(refs, gens))


def test_a_tracker_keeps_the_steps(refs: Paths, gens: Paths) -> None:
    tracker = MetricTracker(NearIDScore("hog", refs), maximize=True)
    for subject in ("cat", "cup"):
        tracker.increment()
        tracker.update(gens[subject], subject=subject)
    steps = tracker.compute_all()
    assert steps["hog"].tolist() == [expected(refs, {name: gens[name]})["hog"] for name in ("cat", "cup")]


def test_a_tracker_of_a_collection_names_the_best_step(refs: Paths, gens: Paths) -> None:
    tracker = MetricTracker(MetricCollection([NearIDScore("hog", refs)]), maximize=True)
    scores = []
    for subject in ("cat", "cup", "ship"):
        tracker.increment()
        tracker.update(gens[subject], subject=subject)
        scores.append(expected(refs, {subject: gens[subject]})["hog"])
    best, steps = tracker.best_metric(return_step=True)
    assert best["hog"] == max(scores)
    assert steps["hog"] == scores.index(max(scores))


def test_gradients_and_random_numbers_are_left_alone(refs: Paths, gens: Paths) -> None:
    metric = NearIDScore("nearid-mini", refs, use_cache=False)
    picture = (tensor(gens["cat"][0]) / 255).requires_grad_()
    before = torch.get_rng_state()
    value = metric(picture, subject="cat")["nearid-mini"]
    assert not value.requires_grad
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.is_grad_enabled()


def test_keywords_go_where_they_belong(refs: Paths) -> None:
    metric = NearIDScore("hog", refs, batch_size=3, dist_sync_on_step=True)
    assert metric.dist_sync_on_step
    assert metric._scorer._options.batch_size == 3
    with pytest.raises(ValueError, match="devise"):
        NearIDScore("hog", refs, devise="cpu")
    with pytest.raises(InputError, match="references: no pictures"):
        NearIDScore("hog")


def test_two_processes_compute_what_one_does(data: Path, refs: Paths, gens: Paths) -> None:
    mp.spawn(joined, (2, data), nprocs=2)
    answers = [json.loads((data / f"{rank}.json").read_text()) for rank in range(2)]
    wanted = expected(refs, gens)
    for case, mine in (("uneven", [4, 5]), ("empty", [0, 9]), ("on step", [4, 5])):
        found = [answer[case] for answer in answers]
        assert found[0]["all"] == found[1]["all"] == wanted
        assert [one["mine"] for one in found] == mine
    assert answers[0]["on step"]["steps"] == answers[1]["on step"]["steps"]


def test_without_torchmetrics_one_line_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['torchmetrics'] = None\n"
        "import nearid_cli\n"
        "try:\n    import nearid_cli.integrations.torchmetrics\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "nearid_cli.integrations.torchmetrics needs torchmetrics: pip install 'nearid-cli[torchmetrics]'\n"
    )
