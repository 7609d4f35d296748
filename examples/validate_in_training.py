"""Score the validation pictures of a training while it runs, and take the best step that does not copy.

Run it in a folder with `refs/<subject>/...`:

    python examples/validate_in_training.py

The training is a toy: a pipeline with one weight a subject, that blends noise into a picture it has seen. Its call and
what it returns are those of a pipeline of diffusers; put yours in its place. Nothing else would change.
"""

# %%
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

import nearid_cli

PROMPTS = ("in the snow", "on the beach")
SIZE = 128


class ToyPipeline(torch.nn.Module):
    """Stands for a diffusers pipeline that is being fine-tuned."""

    def __init__(self, seen):
        super().__init__()
        self.seen = seen  # subject -> tensor [3, SIZE, SIZE], from 0 to 1
        self.learned = torch.nn.ParameterDict({name: torch.nn.Parameter(torch.tensor(-2.0)) for name in seen})

    def picture(self, subject, generator):
        """What it makes of noise so far: [3, SIZE, SIZE], with gradients."""
        share = torch.sigmoid(self.learned[subject])
        return share * self.seen[subject] + (1 - share) * torch.rand(3, SIZE, SIZE, generator=generator)

    @torch.no_grad()
    def __call__(self, prompt, num_images_per_prompt=1, generator=None):
        """Pictures of a prompt, as `.images`."""
        (subject,) = (name for name in self.seen if name in prompt)
        made = [self.picture(subject, generator) for _ in range(num_images_per_prompt)]
        levels = [one.mul(255).round().byte().permute(1, 2, 0).numpy() for one in made]
        return SimpleNamespace(images=[Image.fromarray(one) for one in levels])


def load(path):
    """A picture as a tensor [3, SIZE, SIZE], from 0 to 1."""
    with Image.open(path) as image:
        small = np.asarray(image.convert("RGB").resize((SIZE, SIZE)))
    return torch.from_numpy(small.copy()).permute(2, 0, 1) / 255


# %% The scorer: models are loaded and references embedded once.
references = {folder.name: sorted(folder.iterdir()) for folder in sorted(Path("refs").iterdir())}
scorer = nearid_cli.Scorer(["nearid", "hog"], references)

# %% A training with a validation every four steps. The seeds are the same each time, so that steps can be compared.
pipeline = ToyPipeline({name: load(paths[-1]) for name, paths in references.items()})
optimiser = torch.optim.Adam(pipeline.parameters(), lr=0.35)
results = {}
for step in range(1, 13):
    loss = sum((pipeline.picture(name, None) - pipeline.seen[name]).square().mean() for name in references)
    loss.backward()
    optimiser.step()
    optimiser.zero_grad()
    if step % 4:
        continue
    for subject in references:
        for prompt in PROMPTS:
            for seed in range(2):
                generator = torch.Generator().manual_seed(seed)
                images = pipeline(f"a photo of {subject} {prompt}", generator=generator).images
                scorer.update(images, subject, prompt=prompt, seed=seed, labels={"step": step})
    results[step] = scorer.compute()
    scorer.reset()  # forgets the generations, not the references
    print(f"step {step:2}  loss {loss.item():.3f}  {results[step]}")
    # results[step].log("wandb", step=step)

# %% The best step of those before it learns its pictures by heart, and what it was worth by subject.
original = [step for step, result in results.items() if not any(image.copy_of for image in result.images)]
best = max(original or results, key=lambda step: results[step].aggregate["nearid"].score)
print(f"best step: {best}")
print(results[best].to_pandas()[["subject", "nearid_score", "hog_score", "copies"]].round(3))
results[best].save("validation.json")
