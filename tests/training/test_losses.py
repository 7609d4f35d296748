"""The losses against loops in plain Python over their definitions, and what must hold whatever slots hold."""

from __future__ import annotations

import inspect
import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nearid_cli.training.losses import LOSSES, compare
from nearid_cli.training.objective import ANCHORS, MASKINGS, PARAMETERS, parse_objective

NAMES = tuple(PARAMETERS)


def random_batch(seed, batch=5, dimension=4, present=0.7, dtype=torch.float64, spread=1.0):
    """Unit embeddings; with a small `spread` those of a sample are alike, as trained ones are."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(batch, 1, dimension, generator=generator, dtype=dtype)
    embeddings = centres + spread * torch.randn(batch, 6, dimension, generator=generator, dtype=dtype)
    valid = torch.rand(batch, 6, generator=generator) < present
    return torch.nn.functional.normalize(embeddings, dim=-1), valid


# ------------------------------------------------- the definitions, one loop after the other, in Python floats


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else 0.0


def log_sum(values):
    values = list(values)
    if not values:
        return -math.inf
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))


def softplus(value):
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))


class Definition:
    """One batch with one slot as the anchor of every sample: its cosines, by name."""

    def __init__(self, embeddings, valid, turn, reference):
        self.rows, self.valid, self.reference = embeddings.double().tolist(), valid.tolist(), reference
        self.anchor = turn
        self.views = [slot for slot in range(3) if slot != turn]
        self.samples = range(len(self.rows))
        self.anchors = [b for b in self.samples if reference or self.valid[b][turn]]

    def cos(self, b, other, slot):
        one, two = self.rows[b][self.anchor], self.rows[other][slot]
        dot = sum(x * y for x, y in zip(one, two, strict=True))
        return dot / math.sqrt(sum(x * x for x in one) * sum(y * y for y in two))

    def own(self, b, padded=False):
        return [self.cos(b, b, slot) for slot in self.views if padded or self.valid[b][slot]]

    def others(self, b, padded=False):
        return [
            self.cos(b, other, slot)
            for other in self.samples
            if other != b
            for slot in self.views
            if padded or self.valid[other][slot]
        ]

    def distractors(self, b, padded=False):
        return [self.cos(b, b, slot) for slot in (3, 4, 5) if padded or self.valid[b][slot]]

    def with_slot(self, slot):
        return [b for b in self.anchors if self.valid[b][slot]]


def infonce_ext(turns, temperature, alpha):
    slots, ranking = [], []
    for d in turns:
        for slot in d.views:
            rows = d.with_slot(slot)
            if rows:
                slots.append(
                    mean(
                        log_sum(
                            cos / temperature
                            for kind in (d.own, d.others, d.distractors)
                            for cos in kind(b, padded=d.reference)
                        )
                        - d.cos(b, b, slot) / temperature
                        for b in rows
                    )
                )
        for b in d.anchors:
            for h in d.distractors(b):
                pool = sum(math.exp(o / temperature) for o in d.others(b, padded=d.reference))
                hard = math.exp(h / temperature)
                ranking.append(-math.log(hard / (hard + pool)))
    return mean(slots) + alpha * mean(ranking)


def circle(turns, m, gamma):
    values = []
    for d in turns:
        for b in d.anchors:
            pull = log_sum(-gamma * max(1 + m - p, 0) * (p - 1 + m) for p in d.own(b))
            negatives = d.others(b, padded=d.reference) + d.distractors(b)
            push = log_sum(gamma * max(n + m, 0) * (n - m) for n in negatives)
            values.append(0.0 if -math.inf in (pull, push) else softplus(pull + push))
    return mean(values)


def triplet(turns, margin):
    values = []
    for d in turns:
        for b in d.anchors:
            negatives = d.others(b) + d.distractors(b)
            for p in d.own(b):
                semi_hard = [n for n in negatives if p - margin < n < p]
                if negatives:
                    values.append(max(max(semi_hard or negatives) - p + margin, 0.0))
    return mean(values)


def siglip(turns, temperature, bias):
    views, hard = [], []
    for d in turns:
        for b in d.anchors:
            views += [softplus(-(p / temperature + bias)) for p in d.own(b)]
            views += [softplus(o / temperature + bias) for o in d.others(b)]
            hard += [softplus(h / temperature + bias) for h in d.distractors(b)]
    return mean(views) + mean(hard)


def arcface(turns, margin, scale, temperature, alpha):
    def clamp(cos):
        return min(max(cos, -1 + 1e-4), 1 - 1e-4)

    first, slots = [], []
    for d in turns:
        for b in d.anchors:
            for p in d.own(b):
                target = clamp(math.cos(math.acos(clamp(p)) + margin)) * scale / temperature
                rivals = log_sum(h * scale / temperature for h in d.distractors(b))
                first.append(softplus(rivals - target) if rivals > -math.inf else 0.0)
        for slot in (3, 4, 5):
            rows = [b for b in d.with_slot(slot) if d.others(b)]
            if rows:
                slots.append(
                    mean(
                        softplus(log_sum(scale * o for o in d.others(b)) - scale * d.cos(b, b, slot))
                        for b in rows
                    )
                )
    return mean(first) + alpha * mean(slots)


DEFINITIONS = {
    "infonce_ext": infonce_ext,
    "circle": circle,
    "triplet": triplet,
    "siglip": siglip,
    "arcface": arcface,
}


def expected(name, embeddings, valid, masking="strict", anchors="first", **parameters):
    turns = [
        Definition(embeddings, valid, turn, masking == "reference")
        for turn in ((0,) if anchors == "first" else (0, 1, 2))
    ]
    defaults = {key: parameter.default for key, parameter in PARAMETERS[name].items()}
    return DEFINITIONS[name](turns, **defaults | parameters)


def value(name, embeddings, valid, masking="strict", anchors="first"):
    return parse_objective(name, masking, anchors)(embeddings, valid)[0].item()


# ------------------------------------------------------------------------------------------------------- tests


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("masking", "anchors"), [("strict", "first"), ("strict", "all"), ("reference", "first")]
)
def test_a_loss_is_its_definition(name, masking, anchors):
    for seed, spread, present in itertools.product(range(4), (0.2, 1.0), (0.5, 0.7, 1.0)):
        embeddings, valid = random_batch(seed, batch=7, present=present, spread=spread)
        wanted = expected(name, embeddings, valid, masking, anchors)
        # Far from its distractors, arcface has nothing left to learn.
        assert wanted > 0 or name == "arcface"
        assert value(name, embeddings, valid, masking, anchors) == pytest.approx(wanted, rel=1e-9)
        in_float32 = value(name, embeddings.float(), valid, masking, anchors)
        assert in_float32 == pytest.approx(wanted, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(
    ("spec", "parameters"),
    [
        ("infonce_ext:temperature=0.2,alpha=0", {"temperature": 0.2, "alpha": 0.0}),
        ("circle:m=0.4,gamma=8", {"m": 0.4, "gamma": 8.0}),
        ("triplet:margin=0.9", {"margin": 0.9}),
        ("siglip:temperature=0.5,bias=-1", {"temperature": 0.5, "bias": -1.0}),
        (
            "arcface:margin=0.1,scale=4,temperature=0.5,alpha=2",
            {"margin": 0.1, "scale": 4.0, "temperature": 0.5, "alpha": 2.0},
        ),
    ],
)
def test_parameters_are_used(spec, parameters):
    embeddings, valid = random_batch(1)
    name = spec.split(":")[0]
    wanted = expected(name, embeddings, valid, **parameters)
    assert wanted != pytest.approx(expected(name, embeddings, valid), rel=1e-3)
    assert value(spec, embeddings, valid) == pytest.approx(wanted, rel=1e-9)


def test_every_parameter_is_in_the_table():
    assert list(LOSSES) == list(PARAMETERS)
    for name, loss in LOSSES.items():
        signature = list(inspect.signature(loss).parameters)
        assert signature == ["compared", *PARAMETERS[name]]


@pytest.mark.parametrize("name", NAMES)
def test_reference_and_strict_masking_agree_without_padding(name):
    embeddings, valid = random_batch(3, present=1.1)
    assert valid.all()
    assert value(name, embeddings, valid, "reference") == value(name, embeddings, valid, "strict")


@pytest.mark.parametrize(("name", "differs"), [(name, name in ("infonce_ext", "circle")) for name in NAMES])
def test_padded_slots_matter_to_the_reference_only_where_the_published_code_counts_them(name, differs):
    embeddings, valid = random_batch(4, present=0.6, spread=0.5)
    valid[:, 0] = True
    strict, reference = (value(name, embeddings, valid, masking) for masking in ("strict", "reference"))
    assert (reference > strict) if differs else (reference == strict)


@pytest.mark.parametrize("name", NAMES)
def test_all_anchors_is_the_mean_over_each_view_as_the_anchor(name):
    embeddings, valid = random_batch(5, present=1.1)
    turns = [
        value(name, embeddings[:, order], valid)
        for order in ([0, 1, 2, 3, 4, 5], [1, 0, 2, 4, 3, 5], [2, 0, 1, 5, 3, 4])
    ]
    assert len(set(turns)) == 3
    assert value(name, embeddings, valid, anchors="all") == pytest.approx(sum(turns) / 3, rel=1e-12)


@given(
    seed=st.integers(0, 2**32 - 1),
    name=st.sampled_from(NAMES),
    anchors=st.sampled_from(ANCHORS),
    content=st.sampled_from(["random", "zero", math.nan, math.inf]),
    present=st.sampled_from([0.2, 0.5, 0.8]),
)
@settings(max_examples=100)
def test_what_invalid_slots_hold_changes_nothing(seed, name, anchors, content, present):
    embeddings, valid = random_batch(seed, present=present)
    changed = embeddings.clone()
    if content == "random":
        changed[~valid] = random_batch(seed + 1)[0][~valid]
    else:
        changed[~valid] = 0.0 if content == "zero" else content
    results = []
    for batch in (embeddings, changed):
        batch.requires_grad_()
        loss, _ = parse_objective(name, anchors=anchors)(batch, valid)
        loss.backward()
        results.append((loss.detach(), batch.grad))
    (loss, gradient), (changed_loss, changed_gradient) = results
    assert torch.equal(loss, changed_loss)
    assert torch.equal(gradient, changed_gradient)
    assert gradient.isfinite().all()
    assert (gradient[~valid] == 0).all()


@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(NAMES), masking=st.sampled_from(MASKINGS))
@settings(max_examples=40)
def test_the_order_of_samples_does_not_matter(seed, name, masking):
    embeddings, valid = random_batch(seed)
    assert value(name, embeddings.flip(0), valid.flip(0), masking) == pytest.approx(
        value(name, embeddings, valid, masking), rel=1e-9, abs=1e-12
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("anchors", ANCHORS)
def test_gradients_are_right(name, anchors):
    embeddings, valid = random_batch(6, batch=3, spread=0.5)
    spec = {"arcface": "arcface:scale=2", "circle": "circle:gamma=4"}.get(name, name)
    embeddings.requires_grad_()
    if (
        name == "circle"
    ):  # its weights have no gradient on purpose, so finite differences are not its gradient
        parse_objective(spec, anchors=anchors)(embeddings, valid)[0].backward()
        assert embeddings.grad.abs().sum() > 0
        return
    assert torch.autograd.gradcheck(
        lambda rows: parse_objective(spec, anchors=anchors)(rows, valid)[0], (embeddings,)
    )


def test_the_weights_of_circle_have_no_gradient():
    embeddings, valid = random_batch(7, batch=3, present=1.1, spread=0.5)
    m, gamma = 0.25, 4.0
    rows = embeddings.clone().requires_grad_()
    parse_objective(f"circle:m={m},gamma={gamma}")(rows, valid)[0].backward()

    frozen = compare(embeddings, valid, anchors="first", masking="strict")

    def with_frozen_weights(batch):
        moving = compare(batch, valid, anchors="first", masking="strict")
        pull = -gamma * (1 + m - frozen.positives.cosine).clamp_min(0) * (moving.positives.cosine - 1 + m)
        push = torch.cat(
            [
                (gamma * (old.cosine + m).clamp_min(0) * (new.cosine - m)).masked_fill(~old.valid, -math.inf)
                for old, new in ((frozen.others, moving.others), (frozen.distractors, moving.distractors))
            ],
            dim=-1,
        )
        return torch.log1p((pull.logsumexp(-1) + push.logsumexp(-1)).exp()).mean()

    again = embeddings.clone().requires_grad_()
    with_frozen_weights(again).backward()
    torch.testing.assert_close(rows.grad, again.grad)


EXTREMES = {
    "everything the same": torch.ones(4, 6, 3),
    "views against distractors": torch.ones(4, 6, 3) * torch.tensor([1, 1, 1, -1, -1, -1]).view(1, 6, 1),
    "views against each other": torch.ones(4, 6, 3) * torch.tensor([1, -1, -1, 1, 1, 1]).view(1, 6, 1),
    "zero": torch.zeros(4, 6, 3),
    "huge": torch.full((4, 6, 3), 1e18),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("extreme", EXTREMES)
def test_nothing_makes_a_nan(name, extreme):
    """Whatever is valid, and with every parameter at both ends of its range."""
    ends = [(key, end) for key, p in PARAMETERS[name].items() for end in (p.low, p.high)]
    specs = [name, *(f"{name}:{key}={end}" for key, end in ends)]
    slots = [[], [0], [0, 1, 2], [0, 3, 4, 5], [1, 2, 3], range(6)]
    for spec, masking, shown in itertools.product(specs, MASKINGS, slots):
        valid = torch.zeros(4, 6, dtype=torch.bool)
        valid[:, list(shown)] = True
        rows = EXTREMES[extreme].clone().requires_grad_()
        loss, parts = parse_objective(spec, masking)(rows, valid)
        loss.backward()
        assert loss.isfinite(), (spec, masking, shown)
        assert loss >= 0
        assert rows.grad.isfinite().all(), (spec, masking, shown)
        assert parts[name] == loss.detach()


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_one(name):
    embeddings, valid = random_batch(8, batch=1, present=1.1)
    assert value(name, embeddings, valid) == pytest.approx(expected(name, embeddings, valid), rel=1e-9)
    alone = valid.clone()
    alone[:, 3:] = False  # nothing to compare with
    wanted = expected(name, embeddings, alone)
    assert value(name, embeddings, alone) == pytest.approx(wanted, rel=1e-9)
    assert (wanted == 0) == (name in ("circle", "triplet", "arcface"))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_valid_is_zero_with_a_gradient_of_zeros(name):
    embeddings, valid = random_batch(9, present=-1.0)
    embeddings.requires_grad_()
    loss, _ = parse_objective(name)(embeddings, valid)
    loss.backward()
    assert loss == 0
    assert (embeddings.grad == 0).all()


def test_the_order_of_the_nearid_loss():
    """Same identity > near-identity distractor > another sample: every swap costs."""
    axes = torch.eye(8, dtype=torch.float64)
    batch = torch.zeros(2, 6, 8, dtype=torch.float64)
    batch[0], batch[1] = axes[0], axes[4]
    batch[0, 3:] += axes[1]
    batch[1, 3:] += axes[5]
    valid = torch.ones(2, 6, dtype=torch.bool)
    right = value("infonce_ext", batch, valid)
    distractors_first = batch[:, [0, 3, 4, 1, 2, 5]]
    strangers_first = batch.clone()
    strangers_first[:, 3:] = batch.flip(0)[:, 3:]
    assert right < value("infonce_ext", distractors_first, valid)
    assert right < value("infonce_ext", strangers_first, valid)
