"""TIFF: a file as the list of the entries of its first directory."""

from io import BytesIO
from random import Random
from struct import pack

from fuzz_mutations import Form, Order, Part, count
from fuzz_radiographs import saved
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile


def tiff() -> Form:
    """TIFF as directory entries by tag and type; the part without a name is the file that the entries were taken from."""
    of_type = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}

    def split(content: bytes) -> list[Part]:
        with Image.open(BytesIO(content)) as image:
            assert isinstance(image, TiffImageFile)
            tags = image.tag_v2
            return [(b"", content), *((pack(">HH", tag, tags.tagtype[tag]), held) for tag, held in tags._tagdata.items())]

    def join(rng: Random, parts: list[Part]) -> bytes:
        content = b"".join(payload for name, payload in parts if not name) or b"II*\0" + bytes(4)
        order: Order = "big" if content[:2] == b"MM" else "little"
        wide, narrow = (8, 8) if 43 in content[2:4] else (4, 2)  # bytes of an offset, and of the number of entries
        entries = [part for part in parts if part[0]]
        after = len(content) + narrow + len(entries) * (4 + 2 * wide) + wide
        directory, values = count(rng, len(entries), narrow, order), b""
        for name, payload in entries:
            tag, kind = int.from_bytes(name[:2], "big"), int.from_bytes(name[2:4], "big")
            directory += tag.to_bytes(2, order) + count(rng, kind, 2, order)
            directory += count(rng, len(payload) // of_type.get(kind, 1), wide, order)
            directory += payload.ljust(wide, b"\0") if len(payload) <= wide else count(rng, after + len(values), wide, order)
            values += payload if len(payload) > wide else b""
        following = rng.choice((*[0] * 20, len(content), after, 8))  # the last three: a circle, nonsense, what was first
        start = content[:wide] + count(rng, len(content), wide, order) + content[2 * wide :]
        return start + directory + following.to_bytes(wide, order) + values

    modes = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "YCbCr", "I;16", "I;16B", "I", "F")
    ways = {"L": "tiff_lzw tiff_adobe_deflate packbits", "RGB": "tiff_lzw tiff_adobe_deflate packbits jpeg zstd lzma"}
    ways |= {"1": "group3 group4 tiff_ccitt", "I;16": "tiff_lzw tiff_adobe_deflate"}
    files = [saved("TIFF", mode) for mode in modes] + [saved("TIFF", "L", big_tiff=True), saved("TIFF", "L", frames=2)]
    files += [saved("TIFF", mode, compression=way) for mode, of_mode in ways.items() for way in of_mode.split()]
    short = {259: (1, 2, 3, 4, 5, 6, 7, 8, 32773, 34925, 50000), 262: range(9), 258: (1, 2, 4, 8, 12, 16, 32, 64), 277: range(6)}
    short |= {266: (1, 2), 274: range(9), 284: (1, 2), 317: (1, 2, 3), 338: (0, 1, 2), 339: range(7), 530: (1, 2)}
    more = [(pack(">HH", tag, 3), pack("<H", value)) for tag, values in short.items() for value in values]
    more += [(pack(">HH", 258, 3), pack(f"<{samples}H", *[8] * samples)) for samples in (2, 3, 4, 9)]
    more += [(pack(">HH", tag, 4), pack("<I", 16)) for tag in (256, 257, 278, 322, 323, 324, 325, 273, 279, 330, 34665)]
    more += [(pack(">HH", tag, 4), pack("<I", 40_000)) for tag in (322, 323)] * 3
    more += [(pack(">HH", tag, 4), pack("<4I", *[value] * 4)) for tag, value in ((324, 8), (325, 256))] * 5
    more += [(pack(">HH", tag, 7), bytes(99)) for tag in (347, 34675, 700, 34377, 320, 270)]
    return Form([split(file) for file in files], join, more, ("little", "little", "big"))
