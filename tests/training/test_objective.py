"""Spelling an objective, summing its losses, and two real processes against one."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nearid_cli.errors import UsageError
from nearid_cli.training.objective import ANCHORS, MASKINGS, PARAMETERS, Term, parse_objective

KNOWN = (
    "known: infonce_ext (temperature, alpha), circle (m, gamma), triplet (margin), siglip (temperature, bias), "
    "arcface (margin, scale, temperature, alpha)"
)


@pytest.mark.parametrize(
    ("spec", "terms"),
    [
        ("infonce_ext", [("infonce_ext", 1.0, {"temperature": 0.07, "alpha": 0.5})]),
        ("triplet:0.5", [("triplet", 0.5, {"margin": 0.2})]),
        ("triplet:margin=0.3", [("triplet", 1.0, {"margin": 0.3})]),
        (" triplet : 2 : margin = 0.3 ", [("triplet", 2.0, {"margin": 0.3})]),
        ("circle:1e+1:m=3e-1,gamma=+8", [("circle", 10.0, {"m": 0.3, "gamma": 8.0})]),
        ("circle+triplet", [("circle", 1.0, {"m": 0.25, "gamma": 64.0}), ("triplet", 1.0, {"margin": 0.2})]),
        (
            "infonce_ext:1.0:temperature=0.07+circle:0.5",
            [
                ("infonce_ext", 1.0, {"temperature": 0.07, "alpha": 0.5}),
                ("circle", 0.5, {"m": 0.25, "gamma": 64.0}),
            ],
        ),
        ("siglip:bias=-5", [("siglip", 1.0, {"temperature": 0.07, "bias": -5.0})]),
    ],
)
def test_an_objective_is_read(spec, terms):
    objective = parse_objective(spec)
    assert objective.terms == tuple(Term(*term) for term in terms)
    assert parse_objective(str(objective)) == objective
    assert pickle.loads(pickle.dumps(objective)) == objective


@st.composite
def objectives(draw):
    names = draw(st.lists(st.sampled_from(list(PARAMETERS)), min_size=1, unique=True))
    terms = []
    for name in names:
        values = ",".join(
            f"{key}={draw(st.floats(parameter.low, parameter.high))!r}"
            for key, parameter in PARAMETERS[name].items()
        )
        terms.append(f"{name}:{draw(st.floats(1e-6, 1e6))!r}:{values}")
    return "+".join(terms)


@given(objectives())
def test_every_objective_can_be_written_and_read_again(spec):
    assert str(parse_objective(spec)) == spec


@pytest.mark.parametrize(
    ("spec", "problems"),
    [
        ("infonce", ['unknown loss "infonce": did you mean infonce_ext?', KNOWN]),
        (
            "hinge",
            ['unknown loss "hinge": known: infonce_ext, circle, triplet, siglip, arcface', KNOWN],
        ),
        ("", ['expected a loss before and after every "+", found nothing', KNOWN]),
        ("triplet+", ['expected a loss before and after every "+", found nothing', KNOWN]),
        (
            "triplet:1:margn=0.1",
            ['triplet has no parameter "margn": did you mean margin?', KNOWN],
        ),
        ("triplet:x", ['the weight of triplet must be a number from 1e-06 to 1e+06, found "x"', KNOWN]),
        ("triplet:", ['the weight of triplet must be a number from 1e-06 to 1e+06, found ""', KNOWN]),
        ("triplet:0", ['the weight of triplet must be a number from 1e-06 to 1e+06, found "0"', KNOWN]),
        ("triplet:-1", ['the weight of triplet must be a number from 1e-06 to 1e+06, found "-1"', KNOWN]),
        ("triplet:nan", ['the weight of triplet must be a number from 1e-06 to 1e+06, found "nan"', KNOWN]),
        ("triplet:1:0.3", ['expected parameter=value after triplet, found "0.3"', KNOWN]),
        ("triplet:1:", ['expected parameter=value after triplet, found ""', KNOWN]),
        ("triplet:margin=", ['margin of triplet must be a number from 0 to 2, found ""', KNOWN]),
        ("triplet:margin=inf", ['margin of triplet must be a number from 0 to 2, found "inf"', KNOWN]),
        (
            "infonce_ext:temperature=0",
            ['temperature of infonce_ext must be a number from 1e-06 to 1e+06, found "0"', KNOWN],
        ),
        ("triplet:margin=0.1,margin=0.2", ["margin of triplet is given twice", KNOWN]),
        ("triplet+triplet:2", ["triplet is given twice; give it once, with the sum of the weights", KNOWN]),
        ("tri\nplet", ['unknown loss "tri\\nplet": did you mean triplet?', KNOWN]),
        (
            "nce+circle:a:m=b,c=1,2+circle",
            [
                'unknown loss "nce": known: infonce_ext, circle, triplet, siglip, arcface',
                'the weight of circle must be a number from 1e-06 to 1e+06, found "a"',
                'm of circle must be a number from 0 to 2, found "b"',
                'circle has no parameter "c": known: m, gamma',
                'expected parameter=value after circle, found "2"',
                "circle is given twice; give it once, with the sum of the weights",
                KNOWN,
            ],
        ),
    ],
)
def test_what_is_wrong_is_told_all_at_once(spec, problems):
    with pytest.raises(UsageError) as caught:
        parse_objective(spec)
    shown = spec.replace("\n", "\\n")
    assert caught.value.message == f'cannot use the loss "{shown}"'
    assert list(caught.value.details) == problems


def test_masking_and_anchors_are_checked():
    with pytest.raises(UsageError) as caught:
        parse_objective("triplet", masking="strickt", anchors="every")
    assert caught.value.details == (
        'unknown loss masking "strickt": did you mean strict?',
        'unknown anchors "every": known: first, all',
    )


def test_reading_and_refusing_need_no_torch():
    program = (
        "import sys; from nearid_cli.training.objective import parse_objective; parse_objective('circle')\n"
        "try: parse_objective('circel')\n"
        "except Exception as error: print(type(error).__name__, 'torch' in sys.modules)"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout == "UsageError False\n"


def batch_of(samples, dtype=torch.float32):
    generator = torch.Generator().manual_seed(samples)
    return torch.randn(samples, 6, 8, generator=generator, dtype=dtype), torch.rand(
        samples, 6, generator=generator
    ) < 0.7


def test_a_sum_is_weighted_and_its_parts_are_not():
    embeddings, valid = batch_of(5)
    embeddings.requires_grad_()
    loss, parts = parse_objective("infonce_ext:2+triplet:0.25")(embeddings, valid)
    assert list(parts) == ["infonce_ext", "triplet"]
    for name, part in parts.items():
        assert part == parse_objective(name)(embeddings, valid)[0]
        assert part.shape == ()
        assert not part.requires_grad
    assert loss.shape == ()
    assert loss.item() == pytest.approx(2 * parts["infonce_ext"].item() + 0.25 * parts["triplet"].item())
    loss.backward()
    assert embeddings.grad.isfinite().all()


def test_half_precision_and_autocast_are_computed_in_float32():
    embeddings, valid = batch_of(6)
    objective = parse_objective("infonce_ext+siglip")
    exact = objective(embeddings, valid)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(objective(embeddings, valid)[0], exact)
    half = objective(embeddings.bfloat16(), valid)[0]
    assert half.dtype == torch.float32
    assert torch.equal(half, objective(embeddings.bfloat16().float(), valid)[0])


def test_lengths_do_not_matter():
    embeddings, valid = batch_of(6, torch.float64)
    objective = parse_objective("+".join(PARAMETERS))
    assert objective(5 * embeddings, valid)[0].item() == pytest.approx(objective(embeddings, valid)[0].item())


def test_wrong_shapes_are_told():
    objective, (embeddings, valid) = parse_objective("circle"), batch_of(2)
    with pytest.raises(ValueError, match=r"`embeddings` to be a floating tensor \[B, 6, D\]"):
        objective(embeddings[:, :5], valid)
    with pytest.raises(ValueError, match=r"`embeddings` to be a floating tensor"):
        objective(embeddings.int(), valid)
    with pytest.raises(ValueError, match=r"`valid` to be a bool tensor \[2, 6\] but got torch.float32"):
        objective(embeddings, valid.float())
    with pytest.raises(ValueError, match=r"`valid` to be a bool tensor"):
        objective(embeddings, valid[:, :3])


# ------------------------------------------------------------------------------------ two processes against one

EVERYTHING = "+".join(PARAMETERS)


def joined_batch():
    """Rows of 4 + 4 samples. The second process has no valid slot 2 at all, and fewer of all others."""
    pixels, valid = batch_of(8, torch.float64)
    valid[4:, 2] = False
    valid[5, :] = False
    valid[6, 1:] = False
    return pixels, valid


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 7), torch.nn.Tanh(), torch.nn.Linear(7, 5)).double()


def losses_and_gradients(model, pixels, valid):
    """Loss, parts and gradients for every combination of masking and anchors."""
    results = {}
    for masking in MASKINGS:
        for anchors in ANCHORS:
            model.zero_grad()
            loss, parts = parse_objective(EVERYTHING, masking, anchors)(model(pixels), valid)
            loss.backward()
            gradients = [parameter.grad.clone() for parameter in model.parameters()]
            results[masking, anchors] = (loss.detach(), parts, gradients)
    return results


def one_of_two_processes(rank, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    pixels, valid = (rows[4 * rank : 4 * rank + 4] for rows in joined_batch())
    model = torch.nn.parallel.DistributedDataParallel(network())
    torch.save(losses_and_gradients(model, pixels, valid), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_give_the_loss_and_the_gradients_of_one(tmp_path):
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"from test_objective import one_of_two_processes\n"
        f"one_of_two_processes(int(sys.argv[1]), {str(tmp_path)!r})"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(rank)], stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    for process in processes:
        _, messages = process.communicate(timeout=600)
        assert process.returncode == 0, messages
    single = losses_and_gradients(network(), *joined_batch())
    for rank in range(2):
        for combination, (loss, parts, gradients) in torch.load(tmp_path / f"{rank}.pt").items():
            expected_loss, expected_parts, expected_gradients = copy.deepcopy(single[combination])
            torch.testing.assert_close(loss, expected_loss, rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(parts, expected_parts, rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(gradients, expected_gradients, rtol=1e-9, atol=1e-12)
            assert all(gradient.abs().sum() > 0 for gradient in gradients)


def test_the_processes_need_each_other():
    """The comparison above can fail: each half alone gives other losses and gradients than the joined batch."""
    pixels, valid = joined_batch()
    whole = losses_and_gradients(network(), pixels, valid)
    halves = [losses_and_gradients(network(), pixels[part], valid[part]) for part in (slice(4), slice(4, 8))]
    for combination, (loss, parts, gradients) in whole.items():
        average = [sum(half[combination][2][i] for half in halves) / 2 for i in range(len(gradients))]
        assert abs(sum(half[combination][0] for half in halves) / 2 - loss) > 1e-3
        assert all(
            (mine - theirs).abs().max() > 1e-4 for mine, theirs in zip(average, gradients, strict=True)
        )
        assert set(parts) == set(PARAMETERS)
