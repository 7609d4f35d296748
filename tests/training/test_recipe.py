"""The script that makes nearid-mini, with less of everything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nearid_cli

RECIPE = Path(nearid_cli.__file__).parent.parent / "examples" / "nearid-mini"
LESS = {
    "24000": "8",
    "30000": "8",
    "--batch-size 24": "--batch-size 8",
    " 300 ": " 4 ",
    "-m torch.distributed.run --nproc_per_node 2 ": "",
    "--max-steps 4000": "--max-steps 2",
    "--max-steps 7500": "--max-steps 1",
    "checkpoint-4000": "checkpoint-2",
    "checkpoint-7500": "checkpoint-1",
}


def test_the_recipe_renders_trains_in_two_stages_and_exports(tmp_path: Path) -> None:
    recipe = Path(shutil.copytree(RECIPE, tmp_path / "recipe"))
    script = (recipe / "make.sh").read_text()
    for much, little in LESS.items():
        script, times = re.subn(re.escape(much), little, script)
        assert times, much
    (recipe / "make.sh").write_text(script)
    tools = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    finished = subprocess.run(
        ["bash", recipe / "make.sh", tmp_path / "work"], env=tools, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    assert "1 step done" in finished.stdout + finished.stderr
    made = {file.name: file.stat().st_size for file in (tmp_path / "work" / "nearid-mini").iterdir()}
    shipped = (Path(nearid_cli.__file__).parent / "nearid_mini" / "model.safetensors").stat().st_size
    assert made["model.safetensors"] == shipped
    assert {"config.json", "preprocessor_config.json", "README.md", "metrics.json"} <= made.keys()
