"""The parts of a split, and what people call them."""

import re
from typing import Literal

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")

_SPELLINGS: dict[str, Part] = {
    **dict.fromkeys(("train", "training", "trn"), PARTS[0]),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), PARTS[1]),
    **dict.fromkeys(("test", "testing", "tst", "holdout"), PARTS[2]),
}
# Words that surround the name of a part in that of a folder.
_AROUND = re.compile(r"[\W_\d]+|(?<![a-z])(set|data|dataset|images|imgs|img|split|part|stage|folder)(?![a-z])")


def part_of(name: str) -> Part | None:
    """The part that a name means, in any spelling; None for any other name.

    >>> [part_of(name) for name in ("Training", "VAL", "test_set", "stage_2_train_images", "testicle", "")]
    ['train', 'val', 'test', 'train', None, None]
    """
    text = name.strip().lower()
    return _SPELLINGS.get(_AROUND.sub("", text.replace("_", " "))) or _SPELLINGS.get(re.sub(r"(set|data)$", "", text))
