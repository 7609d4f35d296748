"""Score a method from Python, look at the worst pictures, and keep the result.

Run it in a folder with `refs/<subject>/...` and `gens/<subject>/...`:

    python examples/score_in_python.py

The cells (`# %%`) open as a notebook in most editors.
"""

# %% Score. The first run embeds the pictures; later runs find them in the cache.
from pathlib import Path

from PIL import Image

import nearid_cli

try:
    result = nearid_cli.score("refs", "gens", metrics=["nearid", "hog"])
except nearid_cli.NearIDError as error:
    raise SystemExit("\n".join([error.message, *error.details])) from error

# %% Over all subjects.
for metric, scores in result.aggregate.items():
    print(f"{metric:8} score {scores.score:.3f}  retention {scores.retention}")

# %% By subject: the table that `nearid score -o scores.csv` writes.
frame = result.to_pandas().set_index("subject")
columns = ["nearid_score", "nearid_floor", "nearid_ceiling", "nearid_retention"]
print(frame[columns].sort_values("nearid_score").round(3))

# %% The worst generations, and those that only copy a reference.
for image in sorted(result.images, key=lambda image: image.scores["nearid"])[:3]:
    print(f"{image.scores['nearid']:.3f}  {image.path}")
print([image.path for image in result.images if image.copy_of])

# %% The same files that `nearid score -o run.json -o report.html` writes.
result.save("run.json", "report.html")

# %% Pictures from memory: here each generation in greys, as if a pipeline had just made it.
grey = {}
for path in sorted(Path("gens").glob("*/*.png")):
    with Image.open(path) as image:
        grey.setdefault(path.parent.name, []).append(image.convert("L"))
without_colour = nearid_cli.score("refs", grey, metrics=["nearid", "hog"])

# %% Does the difference show? A notebook ends the cell with `compared` and shows the tables.
compared = nearid_cli.compare({"as they are": result, "in greys": without_colour})
print(compared)

# %% The vectors themselves: rows of length 1, so dot products are cosine similarities.
encoder = nearid_cli.load_encoder("nearid")
vectors = encoder.embed(sorted(Path("refs").glob("*/*.jpg"))[:4])
print(encoder.spec.checkpoint, vectors.shape)
print((vectors @ vectors.T).round(3))
