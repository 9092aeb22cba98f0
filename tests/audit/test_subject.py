"""Pooled features of a frozen backbone are computed once for all heads, and an audit with them has the same result."""

from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from cxr.audit.audit import audit
from cxr.audit.regions import Images
from cxr.config.schema import AuditConfig
from tests.audit.made import MeanModel, noise

SETTINGS = AuditConfig(name="standard", images=120, seen=60, changed=6, mapped=2)


class Counting(MeanModel):
    """Counts the images that its backbone was shown; `turned` is another head on the same backbone."""

    def __init__(self, body: str | None, turned: bool = False) -> None:
        super().__init__()
        self.body, self.turned, self.shown = body, turned, 0

    def head(self, pooled: NDArray[np.float32]) -> NDArray[np.float64]:
        return super().head(pooled)[:, :: -1 if self.turned else 1]

    def score(self, images: Images) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        self.shown += len(images)
        return super().score(images)


def test_another_head_on_the_same_backbone_is_shown_no_images() -> None:
    subject = noise(120)
    first, other, alone = Counting("a backbone"), Counting("a backbone", turned=True), Counting(None, turned=True)
    results = [asdict(audit(subject, model, SETTINGS)) for model in (first, other, alone)]
    assert first.shown > 500
    assert other.shown == 0
    assert alone.shown == first.shown
    assert results[1] == results[2]
    assert results[0] != results[1]
    unlike = Counting("another backbone")
    audit(subject, unlike, SETTINGS)
    assert unlike.shown == first.shown


def test_content_depends_on_images_masks_and_labels() -> None:
    subject = noise(30)
    same = replace(subject, images=subject.images.copy())
    assert same.content == subject.content
    for other in (
        replace(subject, images=255 - subject.images),
        replace(subject, masks=~subject.masks),
        replace(subject, labels=subject.labels[::-1]),
    ):
        assert other.content != subject.content
