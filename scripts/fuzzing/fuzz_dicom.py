"""DICOM: a file as a list of elements."""

import zlib
from random import Random
from struct import pack

from fuzz_mutations import Form, Part, count
from fuzz_radiographs import radiograph, saved

PERSON = "Doe4711"  # the patient in every file: a message of cxr's must not contain it


def dicom() -> Form:
    """DICOM as elements by tag and value representation, which are written here as 00280010US."""
    from pydicom.encaps import encapsulate

    root = "1.2.840.10008.1.2"
    native, deflated, rle, baseline, jpeg2000 = (f"{root}.{last}" for last in ("1", "1.99", "5", "4.50", "4.90"))
    packed = (rle, baseline, jpeg2000, *(f"{root}.4.{last}" for last in (51, 57, 70, 80, 91, 201)))
    syntax, pixels = b"\2\0\x10\0", b"\xe0\x7f\x10\0"

    def part(name: str, value: str | bytes) -> Part:
        held = value if isinstance(value, bytes) else pack("<H", int(value)) if name[8:] == "US" else value.encode()
        return pack("<HH", int(name[:4], 16), int(name[4:8], 16)) + name[8:].encode(), held + b"\0" * (len(held) % 2)

    def written(rng: Random, name: bytes, payload: bytes, implicit: bool, endless: bool) -> bytes:
        wide = implicit or name[4:] in (b"OB", b"OW", b"OF", b"SQ", b"UN", b"UT")
        length = b"\xff" * 4 if endless else count(rng, len(payload), 4 if wide else 2, "little")
        start = name[:4] if implicit else name + b"\0\0" if wide else name
        return start + length + payload + (b"\xfe\xff\xdd\xe0" + bytes(4) if endless else b"")

    def join(rng: Random, parts: list[Part]) -> bytes:
        said = next((payload for name, payload in parts if name[:4] == syntax), b"")
        uid = said.rstrip(b"\0").decode("latin-1")
        meta = written(rng, syntax + b"UI", said, implicit=False, endless=False)
        body = b""
        for name, payload in parts:
            endless = (name[:4] == pixels and uid in packed) or rng.random() < 0.005
            body += written(rng, name, payload, uid == root, endless) if name[:4] != syntax else b""
        body = zlib.compress(body, wbits=-15) if uid == deflated else body
        return bytes(128) + b"DICM" + pack("<HH2sHI", 2, 0, b"UL", 4, len(meta)) + meta + body

    def base(uid: str, bits: int, held: bytes) -> list[Part]:
        said = {"00020010UI": uid, "00080005CS": "ISO_IR 192", "00100010PN": PERSON, "00100020LO": PERSON, "00280002US": "1"}
        said |= {"00280004CS": "MONOCHROME2", "00280008IS": "1", "00280010US": "24", "00280011US": "32", "00280100US": f"{bits}"}
        said |= {"00280101US": f"{bits}", "00280102US": f"{bits - 1}", "00280103US": "0"}
        return [*(part(name, value) for name, value in said.items()), (pixels + (b"OW" if bits == 16 else b"OB"), held)]

    def item(*inner: Part) -> bytes:
        held = b"".join(name + pack("<H", len(payload)) + payload for name, payload in inner)
        return b"\xfe\xff\0\xe0" + pack("<I", len(held)) + held

    levels, flat = radiograph("I;16").tobytes(), radiograph("L").tobytes()
    runs = [b"".join(b"\x7f" + plane[at : at + 128] for at in range(0, 768, 128)) for plane in (levels[1::2], levels[::2])]
    frame = pack("<16I", 2, 64, 64 + len(runs[0]), *[0] * 13) + b"".join(runs)
    bases = [base(uid, 16, levels) for uid in (native, root, deflated)] + [base(native, 8, flat)]
    bases += [base(rle, 16, encapsulate([frame])), base(baseline, 8, encapsulate([saved("JPEG", "L")]))]
    bases += [base(jpeg2000, 16, encapsulate([saved("JPEG2000", "I;16", no_jp2=True)]))]
    short, of_person = (2, 6, 0x10, 0x11, 0x100, 0x101, 0x102, 0x103, 0x120), (0x10, 0x100, 0x101, 0x103, 0x120, 0x1056)
    values = {f"0028{tag:04x}US": "0 1 8 16 32 64" for tag in short}
    values |= {f"0028{tag:04x}DS": "1 0 -1 1e300 nan 2\\9 x" for tag in range(0x1050, 0x1054)}
    values |= {f"0028{tag:04x}{kind}": PERSON for tag in of_person for kind in ("LO", "UN", "DS", "PN")}
    values |= {"00280008IS": "0 2 -1 99999999999 x 1\\2", "00281056CS": f"LINEAR LINEAR_EXACT SIGMOID {PERSON}"}
    values |= {"00280004CS": f"MONOCHROME1 RGB PALETTE MONOCHROME2\\RGB {PERSON}", "00080005CS": "ISO_IR\\2 GB18030 nonsense"}
    values |= {"00020010UI": " ".join((native, root, deflated, f"{root}.2", "1.2.3", *packed))}
    more = [part(name, value) for name, several in values.items() for value in several.split(" ")]
    for bits in (8, 16, 32):
        table = item(part("00283002US", "0"), (b"\x28\0\2\x30US", pack("<3H", 256, 0, bits)), part("00283006OW", levels[:512])[:2])
        more += [part(f"0028{tag}SQ", held) for tag in ("3000", "3010") for held in (table, table * 2, item(), b"")]
    more += [part(f"00100020{kind}", b"\xff\x1b$B" + PERSON.encode()) for kind in ("LO", "SQ", "OB")]
    return Form(bases, join, more)
