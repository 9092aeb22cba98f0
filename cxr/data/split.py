"""Who trains, who validates, who tests: stratified by class, decided by a hash, so never by file order."""

import hashlib
from collections.abc import Sequence
from typing import Literal

from cxr.config import SplitConfig

Part = Literal["train", "val", "test"]


def part_names(split: SplitConfig) -> tuple[Part, ...]:
    """The parts that this split makes."""
    return ("train", "val", "test") if split.test > 0 else ("train", "val")


def assign_parts(groups: Sequence[str], labels: Sequence[int], split: SplitConfig) -> list[Part]:
    """Give each image a part; images of the same class and group always share one.

    Within a class, groups are ranked by sha256 of seed and group, and the first fill the test part, the next validation,
    up to their fraction of the class. So the result does not depend on the order of the images, and an image that joins
    later moves only those near the borders.
    """
    parts: list[Part] = ["train"] * len(groups)
    for label in sorted(set(labels)):
        members: dict[str, list[int]] = {}
        for index, (group, of_label) in enumerate(zip(groups, labels, strict=True)):
            if of_label == label:
                members.setdefault(group, []).append(index)
        total = sum(map(len, members.values()))
        wanted: list[tuple[Part, int]] = [
            ("test", _at_least_one(split.test, total)),
            ("val", _at_least_one(split.validation, total)),
        ]
        ranked = sorted(members, key=lambda group: hashlib.sha256(f"{split.seed}:{group}".encode()).digest())
        for group in ranked:
            while wanted and wanted[0][1] <= 0:
                wanted.pop(0)
            if not wanted:
                break
            part, room = wanted[0]
            for index in members[group]:
                parts[index] = part
            wanted[0] = (part, room - len(members[group]))
    return parts


def _at_least_one(fraction: float, total: int) -> int:
    return max(1, round(fraction * total)) if fraction > 0 else 0
