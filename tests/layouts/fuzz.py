"""Trees as people might have them, made at random, of which it is known whose each picture is."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from nearid_cli.layouts.matching import loose_key
from nearid_cli.layouts.names import folder_labels, is_category, is_generic, is_phrase, read_file_name

NAMES = (
    "cat", "dog", "dog2", "dog 2", "backpack", "backpack_dog", "Red Cat", "red_cat", "redcat", "RED-CAT", "catfish",
    "mask", "grid", "gas_mask", "class_ring", "10_sks cat", "sks dog", "20_cat", "12_3", "1_23", "123", "7", "00", "01",
    "2024-11-1", "2024-1-11", "2024-05-01", "step_500", "checkpoint-7", "seed3", "epoch_2", "images", "train",
    "samples", "person", "animal", "object", "style", "on", "a cat", "the cat on the mat", "café", "cafe\u0301",
    "Straße", "STRASSE", "قطة", "\N{CAT}\N{ZERO WIDTH JOINER}x", "it's", 'say "hi"', "x" * 120, "a.b", "v1.5", "v15",
    "cat.", "-rf", "=1+1",
    "lora", "refs", "generated", "reference", "grey_sloth_plushie", "rc_car", "IMG_1", "ComfyUI", "mylora", "p1", "p2",
    "cat\u00a0x", "cat x", "сat", "new", "0003_cat", "cat_0", "cat_1", "{subject}", "*", "a_b_c", "a_b",
    os.fsdecode(b"caf\xe9"), os.fsdecode(b"caf\xe8"),
)  # fmt: skip
PROMPTS = (
    "on a beach",
    "in_the_snow",
    "asleep",
    "a photo of it",
    "beach",
    "0",
    "1",
    "wearing a mask",
    "on a grid",
)
CLASSES = ("animal", "object", "plushies", "tools", "person")
METHODS = ("lora", "ip", "dreambooth", "textual inversion")
WRAPPERS = ("images", "train", "samples", "outputs", "data", "run7")
Paths = list[tuple[str, str | None]]


@dataclass
class World:
    """A planted tree: the path of each picture with the name of its subject, None for what is nobody's.

    `silent` are sides whose names say nothing of subjects, or only what may be counters or prompts.
    """

    kind: str
    names: list[str]
    references: Paths = field(default_factory=list)
    generations: Paths = field(default_factory=list)
    silent: bool = False


def world(random: Random) -> World:
    """One of them."""
    names = _distinct(random.sample(NAMES, random.choice((1, 1, 2, 2, 3, 4, 5))))
    reference_kind, references = random.choice(list(REFERENCES.items()))
    generation_kind, generations = random.choice(list(GENERATIONS.items()))
    made = World(f"{reference_kind} | {generation_kind}", names)
    made.references = _with_company(random, references(random, names))
    made.generations = _with_company(random, generations(random, names))
    by_file = {"flat", "one_each", "prompt_in_name", "counter_first", "kohya"} & {
        reference_kind,
        generation_kind,
    }
    made.silent = "numbered" in (reference_kind, generation_kind) or (
        bool(by_file) and any(read_file_name(f"{name}_0").head != name for name in names)
    )
    # Names that mean something else where the references do not say otherwise: a step, a place, a prompt.
    strangers = {name for _, name in made.generations if name and name not in names}
    made.silent |= bool(strangers) and any(map(_means_something_else, [*names, *strangers]))
    return made


def _means_something_else(name: str) -> bool:
    return folder_labels(name) is not None or is_generic(name) or is_category(name) or is_phrase(name)


def key(name: str) -> str:
    """Names that are one by the rules of the page: but for case, separators and Unicode forms."""
    return loose_key(name)


def _distinct(names: list[str]) -> list[str]:
    return list({key(name): name for name in names}.values())


def _folders(random: Random, names: list[str], extension: str) -> Paths:
    return [
        (f"{name}/{number}.{extension}", name) for name in names for number in range(random.randint(1, 3))
    ]


def _nested(random: Random, names: list[str], extension: str) -> Paths:
    classes = {name: random.choice(CLASSES) for name in names}
    return [(f"{classes[name]}/{path}", name) for path, name in _folders(random, names, extension)]


def _flat(random: Random, names: list[str], extension: str) -> Paths:
    between = random.choice("_- .")
    return [
        (f"{name}{between}{number}.{extension}", name)
        for name in names
        for number in range(random.randint(1, 3))
    ]


def _one_each(random: Random, names: list[str], extension: str) -> Paths:
    return [(f"{name}.{extension}", name) for name in names]


def _wrapped(random: Random, names: list[str], extension: str) -> Paths:
    wrapper = random.choice(WRAPPERS)
    return [(f"{wrapper}/{path}", name) for path, name in _folders(random, names, extension)]


def _numbered(random: Random, names: list[str], extension: str) -> Paths:
    """Nothing says whose they are."""
    return [(f"{number:04d}.{extension}", name) for number, name in enumerate(names)]


def _prompt_first(random: Random, names: list[str], extension: str) -> Paths:
    prompts = random.sample(PROMPTS, 2)
    return [
        (f"{prompt}/{path}", name) for prompt in prompts for path, name in _folders(random, names, extension)
    ]


def _prompt_below(random: Random, names: list[str], extension: str) -> Paths:
    return [
        (f"{name}/{prompt}/{seed}.{extension}", name)
        for name in names
        for prompt in random.sample(PROMPTS, 2)
        for seed in range(2)
    ]


def _prompt_in_name(random: Random, names: list[str], extension: str) -> Paths:
    return [
        (f"{name}_{prompt}_0.{extension}", name) for name in names for prompt in random.sample(PROMPTS, 2)
    ]


def _steps_below(random: Random, names: list[str], extension: str) -> Paths:
    return [(f"{name}/step_{step}/0.{extension}", name) for name in names for step in (500, 1000)]


def _steps_above(random: Random, names: list[str], extension: str) -> Paths:
    return [(f"checkpoint-{step}/{name}/0.{extension}", name) for name in names for step in (500, 1000)]


def _counter_first(random: Random, names: list[str], extension: str) -> Paths:
    return [(f"{number:05d}_{name}.{extension}", name) for number, name in enumerate([*names, *names])]


def _kohya(random: Random, names: list[str], extension: str) -> Paths:
    return [
        (f"{name}_e{epoch:06d}_00_20240101120000.{extension}", name) for name in names for epoch in (1, 2)
    ]


def _tracked(random: Random, names: list[str], extension: str) -> Paths:
    return [(f"{name}/samples_{step}_abcd1234ef.{extension}", name) for name in names for step in (1, 2)]


def _method_first(random: Random, names: list[str], extension: str) -> Paths:
    methods = random.sample(METHODS, random.choice((1, 2)))
    return [
        (f"{method}/{path}", name) for method in methods for path, name in _folders(random, names, extension)
    ]


def _archive(random: Random, names: list[str], extension: str) -> Paths:
    return [(path.replace("/", "\\"), name) for path, name in _folders(random, names, extension)]


def _some_lack(random: Random, names: list[str], extension: str) -> Paths:
    kept = random.sample(names, max(1, len(names) - 1))
    return _folders(random, [*kept, *_distinct(random.sample(NAMES, 1))], extension)


Maker = Callable[[Random, list[str]], Paths]


def _makers(extension: str, *makers: Callable[[Random, list[str], str], Paths]) -> dict[str, Maker]:
    return {
        make.__name__.strip("_"): lambda random, names, make=make: make(random, names, extension)
        for make in makers
    }


REFERENCES = _makers("jpg", _folders, _folders, _nested, _flat, _one_each, _wrapped, _numbered, _archive)
GENERATIONS = _makers(
    "png", _folders, _nested, _flat, _wrapped, _prompt_first, _prompt_below, _prompt_in_name, _steps_below,
    _steps_above, _counter_first, _kohya, _tracked, _method_first, _archive, _some_lack, _numbered,
)  # fmt: skip


def _with_company(random: Random, paths: Paths) -> Paths:
    """With what lies beside pictures now and then."""
    if random.random() < 0.2:
        folder = random.choice(paths)[0].rpartition("/")[0]
        paths = [*paths, (f"{folder}/grid.png".lstrip("/"), None)]
    if random.random() < 0.1:
        path = random.choice(paths)[0]
        paths = [*paths, (f"{path.rpartition('.')[0]}_mask.png", None)]
    return paths
