"""`Scorer`: the same result as `nearid_cli.score`, whatever came how and when."""

from __future__ import annotations

import gc
import pickle
import shutil
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import nearid_cli
from nearid_cli import Scorer
from nearid_cli.errors import BadImagesError, InputError, ModelError, UsageError
from tests.looping import Paths, by_subject, found, numbers, pixels, tensor
from tests.tiny import change_weights, tiny_clip, tiny_clip_with_text, tiny_vit


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clip(tmp_path_factory.mktemp("clip") / "clip")


PLUGGED = {"pairs": {"plugin": "tests.plugged:HogPairs"}, "length": {"plugin": "tests.plugged:Length"}}


def fill(scorer: Scorer, gens: Paths, size: int, order: int = 1) -> Scorer:
    """Update with so many files at once, whosever they are, first to last or last to first."""
    every = [(subject, path) for subject, files in gens.items() for path in files][::order]
    for start in range(0, len(every), size):
        chunk = every[start : start + size]
        scorer.update([path for _, path in chunk], [subject for subject, _ in chunk])
    return scorer


@pytest.mark.parametrize("metric", ["hog", "nearid-mini", "clip"])
def test_files_give_the_result_of_score_to_the_last_bit(
    data: Path, refs: Paths, gens: Paths, clip: Path, metric: str
) -> None:
    shutil.copyfile(refs["cat"][0], data / "gens/cat/copy.jpg")  # a copy, and a repeated generation
    shutil.copyfile(gens["cup"][0], data / "gens/cup/10.png")
    gens = by_subject(data / "gens")
    metrics = ["hog", f"tiny={clip}"] if metric == "clip" else metric
    expected = nearid_cli.score(data / "refs", data / "gens", metrics, cache=data / "one")
    assert [image.path for image in expected.images if image.copy_of] == ["cat/copy.jpg"]
    assert expected.inputs.same_generations
    for size, order, options in (
        (1, 1, {"use_cache": False}),
        (3, -1, {"cache": data / "three"}),
        (99, 1, {"cache": data / "one"}),
        (4, -1, {"use_cache": False, "batch_size": 2}),
    ):
        scorer = fill(Scorer(metrics, refs, **options), gens, size, order)
        assert found(scorer.compute()) == found(expected)
        assert found(scorer.compute()) == found(expected)  # and again


def test_whatever_holds_the_pixels(data: Path, refs: Paths, gens: Paths) -> None:
    prompts = ["in the snow", "at sea", "in the snow"]
    expected = None
    for hold in (
        lambda files: [Image.fromarray(pixels(one)) for one in files],
        lambda files: [pixels(one) for one in files],
        lambda files: np.stack([pixels(one) for one in files]),
        lambda files: [tensor(one) for one in files],
        lambda files: torch.stack([tensor(one) for one in files]),
        lambda files: torch.stack([tensor(one) for one in files]) / 255,
        lambda files: (torch.stack([tensor(one) for one in files]).double() / 255).requires_grad_(),
        lambda files: (pixels(one) for one in files),
    ):
        scorer = Scorer("hog", {subject: hold(files) for subject, files in refs.items()})
        for subject, files in gens.items():
            scorer.update(hold(files), subject, prompt=prompts, seed=torch.arange(3), labels={"step": 500})
        result = scorer.compute()
        if expected is None:
            held = {
                side: {subject: hold(files) for subject, files in given.items()}
                for side, given in (("references", refs), ("generations", gens))
            }
            scored = nearid_cli.score(**held, metrics="hog")
            assert [one.path for one in result.images] == [one.path for one in scored.images]
            assert [one.scores for one in result.images] == [one.scores for one in scored.images]
            expected = numbers(result)
        assert numbers(result) == expected
    one = result.images[1]
    assert (one.path, one.prompt, one.seed, one.labels) == (
        "<generations>/cat/1",
        "at sea",
        "1",
        {"step": "500"},
    )


def test_prompts_are_units_as_in_a_manifest(data: Path, refs: Paths, gens: Paths) -> None:
    rows = ["role,subject,path,prompt,seed"]
    rows += [f"reference,{subject},{path}," + "," for subject, files in refs.items() for path in files]
    scorer = Scorer("hog", refs)
    for subject, files in gens.items():
        for number, path in enumerate(files):
            rows.append(f"generation,{subject},{path},{'ab'[number % 2]},{number}")
            scorer.update(path, subject, prompt="ab"[number % 2], seed=number)
    (data / "all.csv").write_text("\n".join(rows))
    expected = nearid_cli.score(data / "all.csv", metrics="hog")
    assert numbers(scorer.compute()) == numbers(expected)


def test_labels_break_the_result_down(refs: Paths, gens: Paths) -> None:
    scorer = Scorer("hog", refs)
    for subject, files in gens.items():
        scorer.update(files, subject, labels={"kind": ["near", "far", "far"]})
    result = scorer.compute(by="kind")
    assert [(one.labels, one.generations) for one in result.groups] == [
        ({"kind": "far"}, 6),
        ({"kind": "near"}, 3),
    ]
    near = {subject: files[:1] for subject, files in gens.items()}
    assert (
        result.groups[1].aggregate["hog"].score == nearid_cli.score(refs, near, "hog").aggregate["hog"].score
    )
    with pytest.raises(UsageError, match="kidn"):
        scorer.compute(by=["kidn"])


def test_text_metrics_take_the_prompts(data: Path, refs: Paths, gens: Paths, tmp_path: Path) -> None:
    folder = tiny_clip_with_text(tmp_path / "clip")
    metric = f"clip-t={folder}"
    scorer = Scorer(metric, {"cat": refs["cat"]}, use_cache=False)
    scorer.update(gens["cat"][0], prompt="a cat")
    scorer.update(gens["cat"][1:], prompt=["a dog", None])
    result = scorer.compute()
    text = ["a cat", "a dog", ""]
    (data / "prompts").mkdir()
    for path, prompt in zip(gens["cat"], text, strict=True):
        shutil.copyfile(path, data / "prompts" / path.name)
        if prompt:
            (data / "prompts" / path.name).with_suffix(".txt").write_text(prompt)
    expected = nearid_cli.score(data / "refs/cat", data / "prompts", metric, use_cache=False)
    assert [one.scores for one in result.images] == [one.scores for one in expected.images]
    assert result.images[2].reasons == {"clip-t": "no prompt"}


def test_what_was_embedded_may_go(data: Path, refs: Paths, gens: Paths) -> None:
    expected = nearid_cli.score(data / "refs", data / "gens", "hog")
    scorer = fill(Scorer("hog", refs), gens, 2)
    shutil.rmtree(data / "refs")
    shutil.rmtree(data / "gens")
    assert found(scorer.compute()) == found(expected)


def test_no_picture_is_kept(refs: Paths, gens: Paths) -> None:
    held = Image.fromarray(pixels(refs["cat"][0]))
    made = Image.fromarray(pixels(gens["cat"][0]))
    kept = [weakref.ref(held), weakref.ref(made)]
    scorer = Scorer("hog", {"cat": [held]})
    scorer.update(made)
    del held, made
    gc.collect()
    assert [one() for one in kept] == [None, None]
    assert scorer.compute().inputs.generation_images == 1


def test_a_file_that_is_written_over_is_another_generation(data: Path, refs: Paths, gens: Paths) -> None:
    scorer = Scorer("hog", {"cat": refs["cat"]})
    place = data / "validation.png"
    for path in (gens["cat"][0], gens["cat"][1], gens["cat"][1]):  # the last one is the same again
        shutil.copyfile(path, place)
        scorer.update(place)
    result = scorer.compute()
    assert [image.path for image in result.images] == ["validation.png", "validation.png (2)"]
    expected = nearid_cli.score(refs["cat"], gens["cat"][:2], "hog")
    assert [one.scores for one in result.images] == [one.scores for one in expected.images]


def test_a_file_with_another_prompt_or_label_is_another_generation(refs: Paths, gens: Paths) -> None:
    scorer = Scorer("hog", {"cat": refs["cat"]})
    for prompt, step in (("a", 1), ("b", 1), ("b", 2), ("b", 2)):
        scorer.update(gens["cat"][0], prompt=prompt, labels={"step": step})
    images = scorer.compute().images
    assert [(one.path, one.prompt, one.labels["step"]) for one in images] == [
        ("0.png", "a", "1"),
        ("0.png (2)", "b", "1"),
        ("0.png (3)", "b", "2"),
    ]


def test_odd_names_come_through(data: Path, refs: Paths, gens: Paths) -> None:
    names = {"a/b": refs["cat"], " c\nd\udcff": refs["cup"]}
    odd = data / "g\udcff.png"
    shutil.copyfile(gens["cat"][0], odd)
    scorer = Scorer("hog", names)
    scorer.update(str(odd), "a/b", prompt="x\ny\udcfe")
    scorer.update(odd, " c\nd\udcff")
    other = Scorer("hog", names)
    other.merge(scorer.state())
    assert found(other.compute()) == found(scorer.compute())
    assert [one.subject for one in other.compute().subjects] == [" c\nd\\xff", "a/b"]
    with pytest.raises(UsageError) as caught:
        scorer.update(odd, "no\nbody")
    assert "\n" not in caught.value.message


def test_the_same_picture_from_memory_twice_is_one_unit(refs: Paths, gens: Paths) -> None:
    scorer = Scorer("hog", {"cat": refs["cat"]})
    array = pixels(gens["cat"][0])
    scorer.update([array, array])
    array[:] = 0  # the next one of the program is made in place
    scorer.update([array, pixels(gens["cat"][2])])
    result = scorer.compute()
    assert result.inputs.same_generations == ("cat: 2 of 4 generations are one picture",)
    first, second, black, _ = (image.scores["hog"] for image in result.images)
    assert first == second != black
    listed = [pixels(gens["cat"][0])] * 2 + [np.zeros_like(array), pixels(gens["cat"][2])]
    assert result.aggregate == nearid_cli.score(refs["cat"], listed, "hog").aggregate


def test_reset_forgets_generations_and_nothing_else(
    data: Path, refs: Paths, gens: Paths, checkpoint: Path
) -> None:
    metric = f"nearid={checkpoint}"
    expected = nearid_cli.score(data / "refs", data / "gens", metric, use_cache=False)
    scorer = fill(Scorer(metric, refs, use_cache=False), {name: files[:1] for name, files in gens.items()}, 2)
    assert scorer.compute().inputs.generation_images == 3
    scorer.reset()
    with pytest.raises(InputError, match="no generations yet"):
        scorer.compute()
    shutil.rmtree(data / "refs")
    shutil.rmtree(checkpoint)  # the model stays loaded
    assert found(fill(scorer, gens, 4).compute()) == found(expected)


def test_one_subject_needs_no_name(refs: Paths, gens: Paths) -> None:
    named = Scorer("hog", {"cat": refs["cat"]})
    listed = Scorer("hog", refs["cat"])
    for scorer in (named, listed):
        scorer.update(gens["cat"])
    assert (named.subjects, listed.subjects) == (["cat"], ["subject"])
    assert named.compute().aggregate == listed.compute().aggregate
    assert named.compute().aggregate == nearid_cli.score(refs["cat"], gens["cat"], "hog").aggregate


def test_distractors_and_folders(data: Path, refs: Paths, gens: Paths) -> None:
    expected = nearid_cli.score(data / "refs", data / "gens", "hog", distractors=data / "gens")
    folders = {name: data / "refs" / name for name in refs}
    scorer = fill(Scorer("hog", folders, distractors=gens), gens, 4)
    result = scorer.compute()
    assert result.aggregate == expected.aggregate
    assert [one.margins for one in result.images] == [one.margins for one in expected.images]
    assert result.inputs.distractor_images == 9


def test_bad_pictures_are_named_or_skipped(data: Path, refs: Paths, gens: Paths) -> None:
    broken = data / "broken.png"
    broken.write_bytes(b"no picture")
    empty = Image.new("RGB", (0, 4))
    scorer = Scorer("hog", {"cat": refs["cat"]})
    with pytest.raises(BadImagesError) as caught:
        scorer.update([gens["cat"][0], broken, empty])
    assert [one.path for one in caught.value.bad] == [str(broken), "generations[2]"]
    with pytest.raises(InputError, match="no generations yet"):  # nothing of that call counts
        scorer.compute()
    with pytest.raises(BadImagesError, match="broken"):
        Scorer("hog", {"cat": [broken, *refs["cat"]]})
    scorer = Scorer("hog", {"cat": [broken, *refs["cat"]]}, skip_bad=True)
    scorer.update([gens["cat"][0], broken])
    result = scorer.compute()
    assert result.inputs.generation_images == 1
    assert [one.path for one in result.inputs.skipped] == [str(broken)] * 2
    assert result.aggregate == nearid_cli.score(refs["cat"], gens["cat"][:1], "hog").aggregate


def test_subjects_without_generations_are_named(refs: Paths, gens: Paths) -> None:
    scorer = Scorer("hog", refs)
    scorer.update(gens["cat"], "cat")
    with pytest.raises(
        InputError, match=r"no generations of 2 subjects \(cup, ship\); .*allow_unmatched=True"
    ):
        scorer.compute()
    scorer = Scorer("hog", refs, allow_unmatched=True)
    scorer.update(gens["cat"], "cat")
    expected = nearid_cli.score(refs, {"cat": gens["cat"]}, "hog", allow_unmatched=True)
    assert found(scorer.compute()) == found(expected)


def test_scorers_are_joined_copied_and_kept(data: Path, refs: Paths, gens: Paths) -> None:
    expected = nearid_cli.score(data / "refs", data / "gens", "nearid-mini")
    one, other = Scorer("nearid-mini", refs), Scorer("nearid-mini", refs)
    one.update(gens["cat"], "cat")
    other.update(gens["ship"], "ship")
    other.update(gens["cup"], "cup")
    with pytest.raises(InputError, match="no generations of 1 subject"):
        other.compute()
    one.merge(other.state())
    assert found(one.compute()) == found(expected)
    shutil.rmtree(data / "refs")
    again = pickle.loads(pickle.dumps(one))
    assert found(again.compute()) == found(expected)
    again.merge(one)  # the same files: nothing new
    assert found(again.compute()) == found(expected)
    again.reset()
    again.merge(one)
    assert found(again.compute()) == found(expected)


def test_what_does_not_go_together_is_not_joined(refs: Paths, gens: Paths) -> None:
    scorer = Scorer("hog", refs)
    with pytest.raises(
        UsageError, match=r"expected the metrics of the other Scorer to be ours, found hog .*nearid"
    ):
        Scorer(["hog", "nearid-mini"], refs).merge(scorer)
    with pytest.raises(UsageError, match=r"expected the references of the other Scorer to be ours.*: cat"):
        Scorer("hog", refs | {"cat": gens["cat"]}).merge(scorer.state())
    with pytest.raises(InputError, match="expected the state of a Scorer, found other bytes"):
        scorer.merge(b"12345678")
    with pytest.raises(UsageError, match="expected a Scorer or the bytes"):
        scorer.merge(3)  # type: ignore[arg-type]


def test_a_metric_that_changed_meanwhile_is_refused(refs: Paths, gens: Paths, tmp_path: Path) -> None:
    folder = tiny_vit(tmp_path / "vit")
    scorer = Scorer(f"x={folder}", {"cat": refs["cat"]})
    scorer.update(gens["cat"])
    kept = pickle.dumps(scorer)
    change_weights(folder, lambda weights: weights["layernorm.bias"].add_(1.0))
    with pytest.raises(ModelError, match="no longer what they were when pictures were embedded: x"):
        pickle.loads(kept)
    assert scorer.compute().inputs.generation_images == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda refs: Scorer(["hog", "pairs", "length"], refs, configured=PLUGGED),
            "pairs, length: expected metrics that embed pictures",
        ),
        (lambda refs: Scorer("hog", {}), "references: no pictures, the dict is empty"),
        (lambda refs: Scorer("hog", {"cat": iter(())}), r'references\["cat"\]: no pictures'),
        (
            lambda refs: Scorer("hog", refs["cat"][0].parent),
            "references: expected a dict of pictures by subject",
        ),
        (lambda refs: Scorer("hog", refs, devise="cpu"), 'unknown parameter "devise": did you mean device'),
        (lambda refs: Scorer("hgo", refs), 'unknown metric "hgo"'),
        (lambda refs: Scorer("hog", refs, skip_bad=1), "skip_bad: expected True or False, found 1"),
    ],
)
def test_slips_are_named_when_it_is_made(refs: Paths, make: Any, message: str) -> None:
    with pytest.raises((UsageError, InputError), match=message):
        make(refs)


def test_references_that_are_given_as_a_generator_are_read_once(refs: Paths, gens: Paths) -> None:
    every = (path for path in refs["cat"])
    scorer = Scorer("hog", {"cat": every})
    scorer.update(iter(gens["cat"]))
    assert scorer.compute().aggregate == nearid_cli.score(refs["cat"], gens["cat"], "hog").aggregate
    with pytest.raises(InputError, match=r'references\["cat"\]: no pictures'):
        Scorer("hog", {"cat": every})


def test_a_subject_is_known_in_either_form_of_unicode(refs: Paths, gens: Paths) -> None:
    scorer = Scorer("hog", {"cafe\u0301": refs["cat"], "u\u0308": refs["cup"]}, allow_unmatched=True)
    scorer.update(gens["cat"][:2], ["caf\u00e9", "cafe\u0301"])
    (scored,) = scorer.compute().subjects
    assert scored.subject == "cafe\u0301"
    assert scored.generations == 2
    both = Scorer("hog", {"cafe\u0301": refs["cat"], "caf\u00e9": refs["cup"]})
    both.update(gens["cat"][:2], ["caf\u00e9", "cafe\u0301"])
    assert {image.path: image.subject for image in both.compute().images} == {
        gens["cat"][0].name: "caf\u00e9",
        gens["cat"][1].name: "cafe\u0301",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"subject": "dog"}, r'subject: no references of "dog"; they are of 3 subjects \(cat, cup, ship\)'),
        ({}, r"subject: the references are of 3 subjects \(cat, cup, ship\); say whose"),
        ({"subject": ["cat", "cup"]}, "subject: expected one for all or one for each of 3 pictures, found 2"),
        ({"subject": 3}, "subject: expected a text, or one for each picture, found 3"),
        ({"subject": ["cat", None, "cup"]}, "subject: expected a text, or one for each picture, found None"),
        ({"subject": "cat", "prompt": ["a"]}, "prompt: expected one for all or one for each of 3 pictures, found 1"),
        ({"subject": "cat", "prompt": {}}, "prompt: expected a text"),
        ({"subject": "cat", "seed": True}, "seed: expected a text, or one for each picture, found True"),
        ({"subject": "cat", "labels": {"prompt": "a"}}, "labels: expected names other than subject, prompt, seed"),
        ({"subject": "cat", "labels": {"step": [1, 2]}}, r'labels\["step"\]: expected one for all or one for each'),
        ({"subject": "cat", "labels": "step"}, "labels: expected a dict"),
    ],
)  # fmt: skip
def test_slips_of_update_are_named(refs: Paths, gens: Paths, arguments: dict[str, Any], message: str) -> None:
    scorer = Scorer("hog", refs)
    with pytest.raises(UsageError, match=message):
        scorer.update(gens["cat"], **arguments)
    with pytest.raises(InputError, match="no generations yet"):
        scorer.compute()


LEVELS = torch.rand(3, 8, 8)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (LEVELS * 2 - 1, r"torch tensor of float32 \[3, 8, 8\] with values from -.*; .* give \(x \+ 1\) / 2"),
        (LEVELS * 255, r"with values from .*, not from 0 to 1; if they are from 0 to 255, give x / 255"),
        (LEVELS + 0.5, r"not from 0 to 1; give x.clamp\(0, 1\)"),
        (LEVELS * 4 - 2, r"bring them to \[0, 1\]"),
        (LEVELS * torch.nan, "with values that are not finite"),
        (LEVELS[0], r"found a torch tensor of float32 \[8, 8\]"),
        (torch.rand(4, 8, 8), r"\[4, 8, 8\]; of RGBA give the first three channels"),
        (torch.rand(8, 8, 3), r"\[8, 8, 3\]; give it as tensor.permute\(2, 0, 1\)"),
        (LEVELS.to(torch.complex64), r"found a torch tensor of complex64"),
        (LEVELS.to(torch.int64), r"found a torch tensor of int64"),
        (LEVELS.to("meta"), "without plain numbers"),
        (LEVELS.to_sparse(), "without plain numbers"),
        (torch.nested.nested_tensor([*LEVELS], layout=torch.jagged), r"nested torch tensor; give it as tensor.unbind"),
        (LEVELS.numpy(), r"found a NumPy array of float32 \[3, 8, 8\]; give it as array.transpose\(1, 2, 0\)"),
        (LEVELS.permute(1, 2, 0).numpy(), r"give \(array \* 255\).round\(\).astype\('uint8'\)"),
        (np.zeros((8, 8, 4), np.uint8), r"\[8, 8, 4\]; of RGBA give the first three"),
        (torch.rand(2, 4, 8, 8), r"generations\[0\]: expected .*\[4, 8, 8\]"),
        (torch.tensor(1.0), r"expected pictures, found a torch tensor of float32 \[\]"),
        ([torch.rand(1, 3, 8, 8)], r"generations\[0\]: expected .* found a torch tensor of float32 \[1, 3, 8, 8\]"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused_with_a_hint(refs: Paths, given: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Scorer("hog", {"cat": refs["cat"]}).update(given)


@pytest.mark.parametrize("empty", [[], torch.zeros(0, 3, 8, 8), np.zeros((0, 8, 8, 3), np.uint8)])
def test_an_empty_batch_is_refused(refs: Paths, empty: Any) -> None:
    with pytest.raises(InputError, match="generations: no pictures"):
        Scorer("hog", {"cat": refs["cat"]}).update(empty)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_floats_are_rounded_to_the_nearest_level(dtype: torch.dtype) -> None:
    from nearid_cli.layouts.pixels import image_of

    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16).expand(3, 16, 16)
    given = (levels.to(torch.float64) / 255).to(dtype)
    expected = np.rint(given.to(torch.float64).numpy() * 255)
    if dtype is not torch.bfloat16:
        np.testing.assert_array_equal(expected, levels.numpy())
    taken = np.asarray(image_of(given)).transpose(2, 0, 1)
    np.testing.assert_array_equal(taken, expected)
    assert np.asarray(image_of(torch.full((3, 1, 1), 0.5, dtype=dtype))).ravel().tolist() == [128] * 3
