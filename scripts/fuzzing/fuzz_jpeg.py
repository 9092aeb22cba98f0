"""JPEG: a file as a list of segments."""

import re
from collections.abc import Iterator
from random import Random
from struct import pack

from fuzz_mutations import Form, Part, count
from fuzz_radiographs import exif, saved


def jpeg() -> Form:
    """JPEG as segments by their markers; what belongs to no segment, such as the data of a scan, is a part without a name."""
    data = re.compile(rb"(?:[^\xff]|\xff[\x00\xd0-\xd7])*", re.DOTALL)

    def split(content: bytes) -> Iterator[Part]:
        at = 0
        while at < len(content):
            alone = content[at : at + 2] in (b"\xff\xd8", b"\xff\xd9")
            end = at + 2 + (0 if alone else int.from_bytes(content[at + 2 : at + 4], "big"))
            yield (b"", content[at:end]) if alone else (content[at : at + 2], content[at + 4 : end])
            found = data.match(content, end)
            at = found.end() if found else end
            if at > end:
                yield b"", content[end:at]

    def join(rng: Random, parts: list[Part]) -> bytes:
        return b"".join(name + (count(rng, len(payload) + 2, 2, "big") if name else b"") + payload for name, payload in parts)

    files = [saved("JPEG", mode, exif=exif(), icc_profile=bytes(200)) for mode in ("L", "RGB", "CMYK")]
    files += [saved("JPEG", "RGB", progressive=True), saved("JPEG", "L", progressive=True, restart_marker_rows=1)]
    files += [saved("MPO", "RGB", frames=2)]
    more = [(bytes([255, code]), bytes(length)) for code in (0xC0, 0xC4, 0xDB, 0xDA, 0xDD, 0xDC) for length in (0, 2, 4, 17, 65)]
    more += [(bytes([255, code]), b"\x08\0\x18\0\x20\1\1\x11\0") for code in (*range(0xC0, 0xD0), 0xF7)]
    more += [(bytes([255, code]), pack(">BHHB9B", 8, 8000, 8000, 3, *b"\1\x22\0\2\x11\1\3\x11\1")) for code in (0xC0, 0xC2)]
    more += [(b"\xff\xee", b"Adobe\0\x64\0\0\0\0" + bytes([way])) for way in (0, 1, 2, 9)]
    more += [(b"\xff\xe2", b"ICC_PROFILE\0" + pair + bytes(99)) for pair in (b"\1\1", b"\0\0", b"\2\1", b"\1\xff")]
    more += [(b"\xff\xed", b"Photoshop 3.0\x008BIM\4\x04\0\0\0\0\0\4" + bytes(4)), (b"\xff\xe0", b"JFIF\0\1\1\1\0\1\0\1\0\0")]
    more += [(b"", marker) for marker in (b"\xff\xd8", b"\xff\xd9", b"\xff\xd0", b"\xff\xff\xff", b"\xff\x01")]
    widths = {bytes([255, code]): (1, 2, 2, *[1] * 10) for code in (0xC0, 0xC2)} | {b"\xff\xda": [1] * 10, b"\xff\xdd": [2]}
    return Form([list(split(file)) for file in files], join, more, ("big",), widths)
