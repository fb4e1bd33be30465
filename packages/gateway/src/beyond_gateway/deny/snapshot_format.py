"""A deny-set as bytes: one line of JSON, then packed numbers; and back, only if not a bit of it is wrong.

The line has the bucket, the state of the stream to resume from, the lengths and the CRC-32 of the numbers; those are
little-endian u64 in six columns: tenants refused with 402, tenants refused with 403, key ids likewise, then the entries
that end and the seconds at which they do. A second is doubled, its lowest bit says that the entry is a key id.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from itertools import islice
from struct import iter_unpack
from typing import TYPE_CHECKING, Final

import msgspec

from beyond_gateway.deny.entries import DenySet
from beyond_gateway.deny.stream import Mark

if TYPE_CHECKING:
    from collections.abc import Collection

    Columns = list["array[int]"]

VERSION: Final = 1


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    bucket: str
    revision: int
    mark: Mark | None
    counts: tuple[int, int, int, int, int, int]
    crc32: int


_HEAD: Final = msgspec.json.Decoder(_Head)


class Damaged(ValueError):  # noqa: N818 - it names the snapshot's state, as the warning does
    """A snapshot that cannot be used; the text says why."""


def encode(columns: Columns, bucket: str, revision: int, mark: Mark | None) -> list[bytes | memoryview]:
    """Pieces of a snapshot of six columns (see `columns_of`), which they share their memory with."""
    pieces = [memoryview(_little(column)).cast("B") for column in columns]
    crc32 = 0
    for piece in pieces:
        crc32 = zlib.crc32(piece, crc32)
    counts = [len(column) for column in columns]
    head = {"version": VERSION, "bucket": bucket, "revision": revision, "mark": mark, "counts": counts}
    return [msgspec.json.encode(head | {"crc32": crc32}) + b"\n", *pieces]


def decode(data: bytes, bucket: str) -> tuple[DenySet, Mark | None]:
    """Deny-set and resume point of a snapshot; Damaged for one that is torn, corrupt, or of another bucket."""
    # A view and one number at a time: the file of a million entries is 8 MB, and a worker's memory is counted.
    end = data.find(b"\n")
    body = memoryview(data)[end + 1 :]
    try:
        head = _HEAD.decode(data[: max(0, end)])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Damaged("its first line cannot be read") from None
    if head.version != VERSION or head.bucket != bucket:
        raise Damaged("it is of another bucket or version")
    if min(head.counts) < 0 or len(body) != 8 * sum(head.counts) or zlib.crc32(body) != head.crc32:
        raise Damaged("it is torn or corrupt")
    if head.counts[4] != head.counts[5]:
        raise Damaged("its columns do not match")
    denied = DenySet()
    numbers = (number for (number,) in iter_unpack("<Q", body))
    columns = [islice(numbers, count) for count in head.counts[:4]]
    denied.spend.update(columns[0])
    denied.suspended.update(columns[1])
    denied.spend.update(~key for key in columns[2])
    denied.suspended.update(~key for key in columns[3])
    ending = list(islice(numbers, head.counts[4]))
    for place, second in zip(ending, numbers, strict=True):
        denied.set_deadline(~place if second & 1 else place, second >> 1)
    if len(denied.deadlines) != head.counts[4]:
        raise Damaged("an entry ends twice")
    denied.revision = head.revision
    return denied, head.mark


def columns_of(denied: DenySet) -> Columns:
    """Return the six columns of a set, in one piece."""
    columns = [array("Q") for _ in range(6)]
    for entries, place in parts_of(denied):
        append(columns, place, entries, denied)
    return columns


def parts_of(denied: DenySet) -> tuple[tuple[Collection[int], int], ...]:
    """Return what makes the columns, each with its place."""
    return (denied.spend, 0), (denied.suspended, 1), (denied.deadlines, 4)


def append(columns: Columns, place: int, entries: Collection[int], denied: DenySet) -> None:
    """Add some entries of one part to the columns at its place."""
    if place == 4:
        columns[4].extend(entry if entry >= 0 else ~entry for entry in entries)
        columns[5].extend(denied.deadlines[entry] * 2 + (entry < 0) for entry in entries)
    else:
        columns[place].extend(entry for entry in entries if entry >= 0)
        columns[place + 2].extend(~entry for entry in entries if entry < 0)


def _little(column: array[int]) -> array[int]:
    if sys.byteorder == "big":
        column.byteswap()
    return column
