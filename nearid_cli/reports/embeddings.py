"""The embeddings of pictures as a Parquet file, for other tools."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from nearid_cli.files import replaced_file
from nearid_cli.results import EmbedResult
from nearid_cli.text import storable

_AT_ONCE = 4_096  # rows in memory; each such block is a row group of the file


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
    with replaced_file(path) as file, pq.ParquetWriter(file, schema) as writer:
        for metric in result.metrics:
            rows = result.embeddings[metric.name]
            without = result.absent.get(metric.name, {})
            here = [position for position in range(len(paths)) if position not in without]
            for start in range(0, len(here) or 1, _AT_ONCE):
                some, values = here[start : start + _AT_ONCE], rows[start : start + _AT_ONCE]
                offsets = pa.array([number * rows.shape[1] for number in range(len(some) + 1)], pa.int32())
                texts = (
                    [paths[position] for position in some],
                    [digests[position] for position in some],
                    [storable(metric.name)] * len(some),
                )
                columns = [
                    *(pa.array(column, pa.string()) for column in texts),
                    pa.ListArray.from_arrays(offsets, pa.array(values.ravel(), pa.float32())),
                ]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
