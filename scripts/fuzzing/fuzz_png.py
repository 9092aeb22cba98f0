"""PNG: a file as a list of chunks."""

import zlib
from collections.abc import Iterator
from random import Random

from fuzz_mutations import Form, Part, count
from fuzz_radiographs import exif, saved

BOMB = zlib.compress(bytes(40_000_000), 9)  # small, and 40 MB when it is unpacked


def png() -> Form:
    """PNG as chunks by their names."""

    def split(content: bytes) -> Iterator[Part]:
        at = 8
        while at < len(content):
            end = at + 8 + int.from_bytes(content[at : at + 4], "big")
            yield content[at + 4 : at + 8], content[at + 8 : end]
            at = end + 4

    def join(rng: Random, parts: list[Part]) -> bytes:
        chunks = [
            count(rng, len(payload), 4, "big") + name + payload + count(rng, zlib.crc32(name + payload), 4, "big")
            for name, payload in parts
        ]
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)

    files = [saved("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")]
    files += [saved("PNG", "P", transparency=bytes(range(256))), saved("PNG", "L", transparency=3), saved("PNG", "L", frames=2)]
    more = [
        (name, bytes(length)) for name in (b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL") for length in (0, 1, 2, 3, 6, 8, 256, 768)
    ]
    more += [(b"iCCP", b"icc\0\0" + BOMB), (b"zTXt", b"key\0\0" + BOMB), (b"iTXt", b"key\0\1\0\0\0" + BOMB), (b"IDAT", BOMB)]
    more += [
        (b"eXIf", exif()[6:]),
        (b"acTL", bytes([0, 0, 0, 2] * 2)),
        (b"fcTL", bytes(26)),
        (b"fdAT", bytes(9)),
        (b"tEXt", b"a\0b"),
    ]
    more += [
        (b"gAMA", bytes(4)),
        (b"cHRM", bytes(32)),
        (b"pHYs", bytes(9)),
        (b"sRGB", b"\0"),
        (b"iCCP", b"icc\0\0" + zlib.compress(b"icc")),
    ]
    widths = {b"IHDR": (4, 4, 1, 1, 1, 1, 1), b"acTL": (4, 4), b"fcTL": (4, 4, 4, 4, 4, 2, 2, 1, 1), b"pHYs": (4, 4, 1)}
    return Form([list(split(file)) for file in files], join, more, ("big",), widths)
