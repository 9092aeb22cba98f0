"""Mutations of an input: random changes of numbers, bytes and parts of a file.

A file is a list of parts, such as the chunks of a PNG. Some of them are changed, and the file is then put together again with
lengths and checksums that are correct for the new content, except for a few. So most of the changes reach the code that
reads the parts, and are not already refused because of a checksum.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

Part = tuple[bytes, bytes]  # the name of a part as the format writes it, and its content
Order = Literal["little", "big"]

NUMBERS = [*range(33), 40, 64, 127, 128, 254, 255, 256, 257, 4000, 8000, 8001, 16384, 32767, 32768, 32773, 65534, 65535, 65536]
NUMBERS += [2_000_000, 4_000_000, 64_000_000, 2**24, 2**30, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]


def number(rng: Random, width: int, order: Order) -> bytes:
    """An integer that readers often handle wrongly, as `width` bytes."""
    return int(rng.choice(NUMBERS) % 2 ** (8 * width)).to_bytes(width, order)


def count(rng: Random, true: int, width: int, order: Order) -> bytes:
    """The bytes of a length or checksum: the true one, but a wrong one in 2% of the calls."""
    return number(rng, width, order) if rng.random() < 0.02 else (true % 2 ** (8 * width)).to_bytes(width, order)


def damaged(rng: Random, content: bytes) -> bytes:
    """The content with one change: bytes are flipped, overwritten, removed, repeated or inserted, or the end is cut off."""
    at = rng.randrange(len(content) + 1)
    width = rng.choice((1, 1, 2, 4, 8, 64, 1000))
    before, piece, after = content[:at], content[at : at + width], content[at + width :]
    changes: tuple[Callable[[], bytes], ...] = (
        lambda: before + bytes(byte ^ 1 << rng.randrange(8) for byte in piece) + after,
        lambda: before + number(rng, len(piece), rng.choice(("little", "big"))) + after,
        lambda: before + after,
        lambda: before + piece * rng.choice((2, 8, 300)) + after,
        lambda: before + rng.randbytes(width) + piece + after,
        lambda: before,
    )
    return rng.choice(changes)()


@dataclass(frozen=True)
class Form:
    """What is needed to make wrong files of one format.

    `bases` are whole files as parts, `join` makes a file of parts, `more` are parts to insert, and `widths` are the widths in
    bytes of the integers that a part of some name begins with.
    """

    bases: list[list[Part]]
    join: Callable[[Random, list[Part]], bytes]
    more: list[Part]
    orders: tuple[Order, ...] = ("little",)
    widths: Mapping[bytes, Sequence[int]] = field(default_factory=dict)  # elsewhere integers may be anywhere

    def case(self, rng: Random) -> bytes:
        """The content of one file: a base with up to 8 changes."""
        parts = list(rng.choice(self.bases))
        for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 5, 8))):
            self._change(rng, parts)
        content = self.join(rng, parts)
        return damaged(rng, content) if rng.random() < 0.15 else content

    def _change(self, rng: Random, parts: list[Part]) -> None:
        new = rng.choice(self.more if rng.random() < 0.8 else rng.choice(self.bases))
        same = [place for place, (name, _) in enumerate(parts) if name[:4] == new[0][:4]]
        at, to = rng.randrange(len(parts)), rng.randrange(len(parts))
        name, payload = parts[at]
        match rng.randrange(11):
            case 0 | 1 | 2:
                parts[at] = name, self._with_number(rng, name, payload)
            case 3 | 4:
                parts[at] = name, damaged(rng, payload)
            case 5 | 6 | 7:
                parts[rng.choice(same or [at])] = new
            case 8:
                parts.insert(at, new)
            case 9:
                parts.insert(to, parts[at] if rng.random() < 0.5 or len(parts) == 1 else parts.pop(at))
            case 10:
                parts[at:to] = [(new[0], payload)] if rng.random() < 0.5 else []

    def _with_number(self, rng: Random, name: bytes, payload: bytes) -> bytes:
        widths = self.widths.get(name) or [rng.choice((1, 2, 2, 4, 4, 8))] * max(1, len(payload) // 2)
        place = rng.randrange(len(widths))
        start, end = sum(widths[:place]), sum(widths[: place + 1])
        return payload[:start] + number(rng, widths[place], rng.choice(self.orders)) + payload[end:]
