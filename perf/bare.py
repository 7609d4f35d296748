"""What a warm score cannot do without: stat the files, read the Parquet parts, multiply. Nothing is checked.

It even knows by itself how many subjects there are and that the cache holds the references first, subject by
subject, so it multiplies the generations with the mean references of the subjects only.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

references, generations, cache, subjects = sys.argv[1:]
counts = []
for root in (references, generations):
    files = [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names]  # noqa: PTH118
    counts.append(len([os.stat(file) for file in files]))  # noqa: PTH116
digests = [
    pq.ParquetFile(f"{folder}/{name}").read().column("digest")
    for folder, _, names in os.walk(f"{cache}/files")
    for name in names
]
for fingerprint in os.scandir(f"{cache}/embeddings"):
    parts = sorted(os.scandir(fingerprint), key=lambda part: part.stat().st_mtime_ns)
    table = pa.concat_tables(pq.ParquetFile(part.path).read() for part in parts)
    rows = np.from_dlpack(table.column("embedding").combine_chunks().values).reshape(len(table), -1)
    centres = rows[: counts[0]].reshape(int(subjects), -1, rows.shape[1]).mean(axis=1)
    scores: np.ndarray = rows[counts[0] :] @ centres.T
