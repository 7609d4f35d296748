"""Score what a training makes at every checkpoint, and log it: identity as a curve over the steps.

    pip install 'nearid-cli[tensorboard]'
    python examples/log_training.py
    tensorboard --logdir runs

The "training" here blends noise with a reference, less at every step. Put your pipeline in its place, and "wandb"
in the place of TensorBoard's folder if you have a run of it open. Of several processes the main one logs.
"""

# %% The references, and a model that learns.
from pathlib import Path

import numpy as np
from PIL import Image

import nearid_cli

STEPS = (100, 200, 300)
references = {folder.name: sorted(folder.iterdir()) for folder in sorted(Path("refs").iterdir())}
random = np.random.default_rng(0)


def generated(subject: str, step: int) -> np.ndarray:
    """Two pictures of a subject as the model makes them at a step: uint8 [2, height, width, 3]."""
    with Image.open(references[subject][0]) as picture:
        like = np.asarray(picture.convert("RGB"), float)
    share = step / max(STEPS)
    return (share * like + (1 - share) * random.uniform(0, 255, (2, *like.shape))).astype(np.uint8)


# %% Score and log at every step. The references are embedded once.
scorer = nearid_cli.Scorer(["hog"], references)
for step in STEPS:
    for subject in scorer.subjects:
        scorer.update(generated(subject, step), subject)
    result = scorer.compute()
    result.log("tensorboard=runs/training", step=step)
    scorer.reset()
    print(step, result)
