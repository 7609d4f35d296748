"""The page that leads from the published code's flags to ours: ours exist, and none of theirs is forgotten."""

from __future__ import annotations

import re

import pytest

from nearid_cli.training.losses import LOSSES

from .conftest import ROOT

# As they were read in the published code, by the headings of the page.
PUBLISHED = {
    "evaluation.sim_test": """mode max_samples batch_size num_workers output_folder output model vlm vl_template
        max_new_tokens masks mask_keep ds_neg ds split wandb wandb_project wandb_group wandb_tags wandb_mode findx""",
    "evaluation.gen_tables": "root baseline_root split mode out_path overlap verbose",
    "dreambench_plus.pearson and per_category": """_dir out_dir filter_keys_regex subset_regexes full models ratings_dir
        plot_type annotate usetex""",
    "dreambench_plus.score_nearid and score_backbone": "sample_root model out_dir batch_size",
    "training.train": """wandb.project wandb.entity wandb.name wandb.tags wandb.mode data.train_path data.neg_paths
        data.neg_paths_val data.neg_paths_test data.train_indices_path data.val_indices_path data.test_indices_path
        data.batch_size data.num_workers data.mask_prob data.shuffle_anchor data.per_slot_neg_dataset data.margin_map
        data.margin_field data.mask_prob_apn data.flip_prob data.color_jitter_prob data.translate_prob
        data.translate_fraction data.scale_range_min data.scale_range_max data.mtg_train_path data.mtg_split
        data.mtg_margin data.mtg_min data.mtg_factor data.mtg_repeat backbone pretrained_backbone pooling layer_idx
        loss_config output_dir seed epochs lr weight_decay warmup_steps gradient_accumulation_steps mixed_precision
        save_steps eval_steps eval_start push_to_hub hub_model_id dry_run eval_batch_size head_type head_dropout
        head_hidden_dim head_out_dim use_batchnorm use_layernorm head_layers""",
    "training.convert_checkpoint": "checkpoint output verify",
}
LOSS_NAMES = """irm irm_ext infonce infonce_ext infonce_ext_v3 clip_base clip_one clip circle circle_ext triplet
    triplet_ext triplet_ext_v3 siglip siglip_ext arcface arcface_ext arcface_ext_v2 arcface_ext_v3 margin_triplet
    margin_triplet_v3 oracle_pos oracle_neg oracle_rank oracle_reg"""
FLAG = re.compile(r"`(--[\w.-]+)`")
PAGE = (ROOT / "docs" / "guides" / "from-nearid.md").read_text("utf-8")


def sections(text: str) -> dict[str, str]:
    """What stands below each heading of the second level."""
    found = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def rows(section: str) -> list[list[str]]:
    """The cells of its tables; headings and rules are rows too, without a flag in them."""
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def flags_of(commands: list[str]) -> set[str]:
    """What the reference has of them, which the program makes."""
    reference = sections((ROOT / "docs" / "reference" / "cli.md").read_text("utf-8"))
    return {flag for command in commands for row in rows(reference[command]) for flag in FLAG.findall(row[0])}


@pytest.mark.parametrize("heading", PUBLISHED)
def test_flags_that_it_names_exist_and_theirs_are_all_there(heading: str) -> None:
    section = sections(PAGE)[heading]
    (line,) = re.findall(r"^Here: (.*)\.$", section, re.MULTILINE)
    known = flags_of(re.findall(r"`(nearid [\w ]+)`", line))
    assert len(known) > 1
    theirs: list[str] = []
    for there, here, why in rows(section)[2:]:
        theirs += FLAG.findall(there)
        ours = FLAG.findall(here)
        assert ours or here == "-"
        assert set(ours) <= known
        assert ours or len(why) > 4, there  # without a counterpart there is a reason
    assert sorted(theirs) == sorted(f"--{name}" for name in PUBLISHED[heading].split())


def test_whole_commands_of_ours_exist() -> None:
    """`nearid export --push-to-hub` and the like, wherever they stand."""
    reference = sections((ROOT / "docs" / "reference" / "cli.md").read_text("utf-8"))
    named = re.findall(r"`(nearid(?: [a-z][\w]*)+)((?: --[\w-]+)*)", PAGE)
    assert len(named) > 10
    for command, flags in named:
        assert command in reference, command
        assert set(flags.split()) <= flags_of([command]), (command, flags)


def test_every_published_loss_is_ours_or_left_out() -> None:
    text = sections(PAGE)["training.train"].partition("Names of losses")[2]
    both, left_out = text.split("Left\nout")
    ours = set(re.findall(r"`(\w+)`", both)) - {"arcface_ext", "alpha"}
    assert ours == set(LOSSES)
    named = set(re.findall(r"`(\w+)`", left_out)) | ours | {"arcface_ext"}
    assert named == set(LOSS_NAMES.split())
