"""The small images behind all image inputs."""

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image


def radiograph(mode: str) -> Image.Image:
    """An image of 32 x 24 pixels, a gradient with noise; the same at every call."""
    grey = np.linspace(0, 200, 24 * 32).reshape(24, 32) + np.random.default_rng(0).integers(0, 50, (24, 32))
    deep = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4"}.get(mode)
    image = Image.fromarray((grey * 200).astype(deep)) if deep else Image.fromarray(grey.astype(np.uint8)).convert(mode)
    if profile := image.info.get("icc_profile"):  # of LAB; it begins with the time when it was made, in bytes 24 to 35
        image.info["icc_profile"] = profile[:24] + bytes(12) + profile[36:]
    return image


def saved(kind: str, mode: str, frames: int = 1, **options: Any) -> bytes:
    """The content of a file that Pillow writes of a radiograph."""
    file = BytesIO()
    several: dict[str, Any] = {"save_all": True, "append_images": [radiograph(mode).rotate(90)]} if frames > 1 else {}
    radiograph(mode).save(file, kind, **several, **options)
    return file.getvalue()


def exif() -> bytes:
    """EXIF data that gives an orientation."""
    tags = Image.Exif()
    tags[0x0112] = 6
    return tags.tobytes()
