"""Score a method from Python, look at the worst pictures, and keep the result.

Run it in a folder with `refs/<subject>/...` and `gens/<subject>/...`:

    python examples/score_in_python.py

The cells (`# %%`) open as a notebook in most editors.
"""

# %% Score. The first run embeds the pictures; later runs find them in the cache.
import json
from pathlib import Path

import nearid_cli

try:
    result = nearid_cli.score("refs", "gens", metrics=["nearid", "hog"])
except nearid_cli.NearIDError as error:
    raise SystemExit("\n".join([error.message, *error.details])) from error

# %% Over all subjects.
for metric, scores in result.aggregate.items():
    print(f"{metric:8} score {scores.score:.3f}  retention {scores.retention}")

# %% By subject: a data frame whose columns have two levels, the metric and the number.
frame = result.to_pandas()
print(frame["nearid"][["score", "floor", "ceiling", "retention"]].sort_values("score").round(3))

# %% The worst generations, and those that only copy a reference.
for image in sorted(result.images, key=lambda image: image.scores["nearid"])[:3]:
    print(f"{image.scores['nearid']:.3f}  {image.path}")
print([image.path for image in result.images if image.copy_of])

# %% The same JSON that `nearid score -o run.json` writes.
Path("run.json").write_text(json.dumps(result.to_dict()), encoding="utf-8")

# %% The vectors themselves: rows of length 1, so dot products are cosine similarities.
encoder = nearid_cli.load_encoder("nearid")
vectors = encoder.embed(sorted(Path("refs").glob("*/*.jpg"))[:4])
print(encoder.spec.checkpoint, vectors.shape)
print((vectors @ vectors.T).round(3))
