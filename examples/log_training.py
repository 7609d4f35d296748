"""Score what a training makes at every checkpoint, and log it: identity as a curve over the steps.

    pip install 'nearid-cli[tensorboard]'
    python examples/log_training.py
    tensorboard --logdir runs

The "training" here blends noise with a reference, less at every step. Put your pipeline in its place, and "wandb"
in the place of TensorBoard's folder if you have a run of it open.
"""

# %% The references, and a model that learns.
from pathlib import Path

import numpy as np
from PIL import Image

import nearid_cli

REFERENCES = Path("refs")
STEPS = (100, 200, 300)
random = np.random.default_rng(0)


def generated(step: int) -> dict[str, list[Image.Image]]:
    """Two pictures of each subject as the model makes them at a step."""
    share = step / max(STEPS)
    pictures = {}
    for folder in sorted(REFERENCES.iterdir()):
        first = np.asarray(Image.open(sorted(folder.iterdir())[0]).convert("RGB"), float)
        noisy = [share * first + (1 - share) * random.uniform(0, 255, first.shape) for _ in range(2)]
        pictures[folder.name] = [Image.fromarray(one.astype(np.uint8)) for one in noisy]
    return pictures


# %% Score and log at every step.
for step in STEPS:
    result = nearid_cli.score(REFERENCES, generated(step), metrics=["hog"])
    result.log("tensorboard=runs/training", step=step)
    print(step, result)
