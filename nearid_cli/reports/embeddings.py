"""The embeddings of pictures as a Parquet file, for other tools."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path

from nearid_cli.files import replace_file
from nearid_cli.results import EmbedResult
from nearid_cli.text import storable


def write_embeddings(result: EmbedResult, path: Path) -> None:
    """Write one row a picture and metric: `path`, `digest` (hex), `metric`, `embedding` (list of float32).

    Rows of a metric stand together, pictures in their own order. What made them is in the schema's metadata, key
    `nearid`; key `nearid.skipped` lists the pictures that have no row, each with `path` and `reason`, and key
    `nearid.absent`, which is there only if there are any, those that have none by a `metric`. In pandas:
    `np.stack(frame.loc[frame.metric == "nearid", "embedding"])` is [N, D].

    Raises:
        InputError: the file cannot be written. Nothing is left behind, an older file stays as it was.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    facts = {"schema": "nearid.embed/1", "metrics": [asdict(metric) for metric in result.metrics]}
    schema = pa.schema(
        {
            "path": pa.string(),
            "digest": pa.string(),
            "metric": pa.string(),
            "embedding": pa.list_(pa.float32()),
        },
        metadata={
            "nearid": json.dumps(facts, allow_nan=False),
            "nearid.skipped": json.dumps([asdict(picture) for picture in result.skipped]),
        },
    )
    paths = [storable(picture) for picture in result.paths]
    digests = [digest.hex() for digest in result.digests]
    absent = [
        {"metric": metric, "path": paths[position], "reason": reason}
        for metric, reasons in result.absent.items()
        for position, reason in reasons.items()
    ]
    if absent:
        schema = schema.with_metadata({**schema.metadata, "nearid.absent": json.dumps(absent)})
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, schema) as writer:
        for metric in result.metrics:
            rows = result.embeddings[metric.name]
            without = result.absent.get(metric.name, {})
            here = [position for position in range(len(paths)) if position not in without]
            offsets = pa.array([number * rows.shape[1] for number in range(len(here) + 1)], pa.int32())
            embeddings = pa.ListArray.from_arrays(offsets, pa.array(rows.ravel(), pa.float32()))
            texts = (
                [paths[position] for position in here],
                [digests[position] for position in here],
                [storable(metric.name)] * len(here),
            )
            columns = [*(pa.array(column, pa.string()) for column in texts), embeddings]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    replace_file(path, buffer.getvalue())
