"""BMP and WebP: a file as a list of headers or chunks."""

from collections.abc import Iterator
from random import Random

from fuzz_mutations import Form, Part, count
from fuzz_radiographs import exif, saved


def bmp() -> Form:
    """BMP as its two headers and the rest."""
    files = [saved("BMP", mode) for mode in ("1", "L", "P", "RGB", "RGBA")]
    bases = [[(b"file", file[:14]), (b"info", file[14:54]), (b"rest", file[54:])] for file in files]
    info = bases[1][1][1]
    more = [(b"info", (bytes([length]) + info[1:].ljust(127, b"\1"))[:length]) for length in (12, 16, 52, 56, 64, 108, 124)]
    more += [(b"info", info[:14] + bytes([bits, 0, way]) + info[17:]) for bits in (1, 4, 8, 16, 24, 32) for way in range(7)]
    more += [(b"rest", b"\xff\1\0\2\xff\xff" * 200), (b"rest", b"\0\xff" + bytes(999)), (b"rest", b"\0\0\xff\0" * 300)]
    widths = {b"file": (2, 4, 2, 2, 4), b"info": (4, 4, 4, 2, 2, *[4] * 6)}
    return Form(bases, lambda rng, parts: b"".join(payload for _, payload in parts), more, widths=widths)


def webp() -> Form:
    """WebP as RIFF chunks by their names."""

    def split(content: bytes) -> Iterator[Part]:
        at = 12
        while at < len(content):
            end = at + 8 + int.from_bytes(content[at + 4 : at + 8], "little")
            yield content[at : at + 4], content[at + 8 : end]
            at = end + end % 2

    def join(rng: Random, parts: list[Part]) -> bytes:
        chunks = [name + count(rng, len(payload), 4, "little") + payload + bytes(len(payload) % 2) for name, payload in parts]
        return b"RIFF" + count(rng, 4 + sum(map(len, chunks)), 4, "little") + b"WEBP" + b"".join(chunks)

    files = [saved("WEBP", mode, lossless=lossless) for mode in ("RGB", "RGBA") for lossless in (False, True)]
    files += [saved("WEBP", "RGBA", exif=exif(), icc_profile=bytes(200), xmp=b"<x/>"), saved("WEBP", "RGB", frames=2)]
    more = [(b"VP8X", bytes([flags]) + bytes(9)) for flags in (0, 2, 16, 32, 255)] + [(b"ALPH", bytes(9)), (b"ANIM", bytes(6))]
    widths = {b"VP8X": (1, 3, 3, 3), b"ANMF": (3, 3, 3, 3, 3, 1), b"VP8 ": (3, 3, 2, 2), b"VP8L": (1, 4)}
    return Form([list(split(file)) for file in files], join, more, widths=widths)
