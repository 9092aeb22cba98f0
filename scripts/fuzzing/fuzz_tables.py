"""Tables of images, CSV and Parquet, with unusual cells, headers, types and encodings."""

import csv
from io import BytesIO, StringIO
from pathlib import Path
from random import Random
from struct import pack
from typing import Any, Literal

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from fuzz_mutations import damaged, number

CELLS = ["", " ", "\0", ".", "..", "../a/0.png", "a/../../b", "/etc/passwd", "C:\\a\\1.png", "a\\0.png", "./a/0.png", "a//0.png"]
CELLS += ["ROOT/a/0.png", "ROOT", "a", "a/", "x" * 300, "x" * 140_000, "a/" * 3000, "nan", "NA", "-1", "1e999", "=1", "#", '"', "'"]
CELLS += ["a\nb", "a\rb", "\u2028", "\x1b[31m", "\ufeff", "\ufffe", "é", "e\u0301", "\U0001f600", "\u202e", "ill ", "ILL", "ill"]
HEADS = ["path", "label", "source", "group", "split", "sha256", "width", "height", "phash", "mode", "age", "path ", "Path", "", "0"]


def rows(rng: Random, root: Path) -> list[list[str]]:
    """The cells of a table: a header, and rows that mostly fit it."""
    found = [HEADS[: rng.choice((2, 2, 3, 5, 10, 11))]]
    for place in range(rng.choice((0, 1, 4, 4, 4, 4, 4, 4, 40))):
        cells = [f"{'ab'[place % 2]}/{place}.png", ("ill", "well")[place % 2], "s", f"g{place}", "train", "0" * 64, "32", "24"]
        found.append([*cells, "0", "L", "50"][: len(found[0])])
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 3, 6))):
        row = rng.choice((*found, found[0]))
        at = rng.randrange(len(row) + 1)
        cell = rng.choice(HEADS if row is found[0] and rng.random() < 0.7 else CELLS)
        row[at : at + rng.choice((0, 1, 1, 1, 1))] = [cell.replace("ROOT", str(root))] if rng.random() < 0.95 else []
    return found


def csv_case(rng: Random, root: Path) -> bytes:
    """The content of a CSV file, with delimiters, quotes, line ends and encodings as spreadsheets and people write them."""
    text, ends = StringIO(newline=""), rng.choice(("\n", "\r\n", "\r", "\n\n"))
    quoting: Literal[0, 1] = csv.QUOTE_ALL if rng.random() < 0.5 else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=rng.choice(",,,,;;\t\t|"), quoting=quoting, lineterminator=ends).writerows(rows(rng, root))
    encoding = rng.choice(("utf-8", "utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-8-sig", "utf-16", "utf-32", "latin-1"))
    content = text.getvalue().encode(encoding, "replace")
    return damaged(rng, content) if rng.random() < 0.3 else content


def column(rng: Random, cells: list[str]) -> Any:
    """A column of text, or in 7% of the calls of another type."""
    if rng.random() < 0.93:
        return pa.array([None if cell == "nan" else cell for cell in cells])
    count = len(cells)
    whole, text = pa.array([rng.choice((0, 1, -1, 2**40, None)) for _ in cells], pa.int64()), pa.array(cells, pa.string())
    found = [whole, text, text.dictionary_encode(), whole.dictionary_encode(), text.cast(pa.large_string()), text.cast(pa.binary())]
    found += [pa.array([value] * count) for value in (None, b"\xff", ["a", None], [[1]], {"path": "a"}, True, float("inf"))]
    found += [
        whole.cast(kind) for kind in (pa.float64(), pa.timestamp("ms"), pa.timestamp("s", "Europe/Berlin"), pa.duration("us"))
    ]
    found += [pa.array([1] * count, kind) for kind in (pa.decimal128(38, 2), pa.float16(), pa.time64("us"), pa.date32())]
    found += [pa.array([10**6] * count, pa.date32()), pa.array([[("a", 1)]] * count, pa.map_(pa.string(), pa.int64()))]
    return rng.choice(found)


def parquet_case(rng: Random, root: Path) -> bytes:
    """The content of a Parquet file: columns of any type, written in any way, and in 40% with the metadata that pandas adds."""
    names, *body = rows(rng, root)
    arrays = [column(rng, [row[place] if place < len(row) else "" for row in body]) for place in range(len(names))]
    table = pa.table(arrays, names=names)
    if names and rng.random() < 0.4:
        frame = pa.table({name: ["x"] for name in dict.fromkeys(names)}).to_pandas()
        frame = frame.set_index(list(frame.columns[: rng.randrange(1, 3)])) if rng.random() < 0.5 else frame
        noted = pa.Schema.from_pandas(frame).metadata[b"pandas"]
        kind = rng.choice((b'"object"', b'"int64"', b'"M8[ns]"', b'"categorical"', b"1", b"null"))
        noted = rng.choice(
            (noted, noted, noted.replace(b'"object"', kind), damaged(rng, noted), damaged(rng, noted), b"{}", b"[]", b"1")
        )
        table = table.replace_schema_metadata({b"pandas": noted})
    file, pressed = BytesIO(), rng.choice(("none", "snappy", "gzip", "zstd", "brotli", "lz4"))
    of_dictionary, version, stored = rng.random() < 0.5, rng.choice(("1.0", "2.0")), rng.random() < 0.7
    pq.write_table(table, file, compression=pressed, use_dictionary=of_dictionary, data_page_version=version, store_schema=stored)
    content = file.getvalue()
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 4))):  # most damage to the footer, whose length is put right
        body_end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
        footer = damaged(rng, content[max(0, body_end) : -8])
        fitting = content[: max(0, body_end)] + footer + pack("<I", len(footer)) + content[-4:]
        content = rng.choice((fitting, fitting, damaged(rng, content), content[:-8] + number(rng, 4, "little") + content[-4:]))
    return content
