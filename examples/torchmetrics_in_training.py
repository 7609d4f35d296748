"""Identity scores beside other metrics of torchmetrics, in a loop.

Run it in a folder with `refs/<subject>/...` and `gens/<subject>/...`:

    python examples/torchmetrics_in_training.py

It needs `pip install 'nearid-cli[torchmetrics]'`.
"""

# %%
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchmetrics import MetricCollection
from torchmetrics.aggregation import MeanMetric

from nearid_cli.integrations.torchmetrics import NearIDScore

references = {folder.name: sorted(folder.iterdir()) for folder in sorted(Path("refs").iterdir())}
generations = {folder.name: sorted(folder.glob("*.png")) for folder in sorted(Path("gens").iterdir())}


def load(path):
    """A picture as a pipeline gives it with `output_type="pt"`: [3, height, width], from 0 to 1."""
    with Image.open(path) as image:
        return torch.from_numpy(np.asarray(image.convert("RGB")).copy()).permute(2, 0, 1) / 255


# %% Keywords go to the metrics that know them.
metrics = MetricCollection(
    {"identity": NearIDScore(["nearid", "hog"], references), "loss": MeanMetric()}, prefix="val/"
)
for epoch in range(2):
    for subject, paths in generations.items():
        batch = torch.stack([load(path) for path in paths])  # [N, 3, height, width]
        metrics.update(generations=batch, subject=subject, value=torch.tensor(1 / (epoch + 1)))
    values = metrics.compute()  # of all processes together, where there are several
    metrics.reset()
    print(epoch, {name: round(value.item(), 3) for name, value in values.items()})
