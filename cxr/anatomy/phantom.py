"""Phantoms: synthetic chest-like images with known lungs. They show the workflow and nothing about medicine.

Each image is one made-up patient, who varies in size, position, exposure, noise and normal lung markings. Some get a
finding: soft blobs at both lung bases and edges (folder COVID), streaks around the hila (folder Viral Pneumonia), or
nothing (folder Normal). Findings vary from obvious to hardly there, so that no model can be perfect.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cxr.anatomy.phantom_shortcuts import plant, value_of
from cxr.config.schema import PhantomConfig

VERSION = 2  # part of the cache folder's name: raise it with any change that alters a pixel
# Shares of the three classes, about those of the real database without Lung_Opacity.
CLASS_SHARES = {"COVID": 0.3, "Normal": 0.5, "Viral Pneumonia": 0.2}

# Brightness that a finding adds at severity 0, and what severity 1 adds to that.
CLOUD, STREAKS = (0.2, 0.4), (0.3, 0.4)

Field = NDArray[np.floating]  # (size, size), brightness or a mask in 0..1


def _between(low: float, high: float) -> Any:
    return field(metadata={"range": (low, high)})


@dataclass(frozen=True)
class Anatomy:
    """What varies from patient to patient, with its range; lengths are shares of half the image."""

    scale: float = _between(0.92, 1.15)
    shift_x: float = _between(-0.08, 0.08)
    shift_y: float = _between(-0.08, 0.08)
    tilt: float = _between(-0.07, 0.07)  # radians
    lung_width: float = _between(0.31, 0.39)
    lung_height: float = _between(0.62, 0.78)
    heart_radius: float = _between(0.24, 0.36)
    diaphragm: float = _between(0.4, 0.6)
    rib_spacing: float = _between(0.2, 0.27)
    rib_strength: float = _between(0.03, 0.09)
    vessel_strength: float = _between(0.02, 0.06)
    exposure: float = _between(0.75, 1.35)  # gamma; below 1 is brighter
    noise: float = _between(0.01, 0.04)
    blur: float = _between(0.3, 1.1)  # in pixels of a 128-pixel image

    @staticmethod
    def of_patient(rng: np.random.Generator) -> "Anatomy":
        """Draw a patient; consumes the same number of random values every time."""
        return Anatomy(*(rng.uniform(*measure.metadata["range"]) for measure in fields(Anatomy)))


@dataclass(frozen=True)
class Chest:
    """A drawn chest before exposure and noise: brightness, lung mask, and each pixel's place in the patient's frame."""

    brightness: Field
    lungs: Field
    x: Field
    y: Field


def draw_chest(anatomy: Anatomy, size: int, rng: np.random.Generator) -> Chest:
    """Draw thorax, lungs, ribs, heart, spine, diaphragm and normal lung markings on a `size` x `size` grid."""
    x, y = _patient_frame(anatomy, size)
    body = _inside(1 - (np.abs(x) / 1.02) ** 6 - (np.maximum(-0.62 - y, 0) / 0.6) ** 2 * (0.6 + 2 * x**2), 0.12)
    lungs = np.zeros_like(x)
    for side in (-1, 1):
        v = (y + 0.08) / anatomy.lung_height
        u = (x - side * (0.43 + 0.06 * v)) / (anatomy.lung_width * (1 + 0.22 * v))
        lungs = np.maximum(lungs, _inside(1 - u**2 - np.abs(v) ** 2.6, 0.25))
    dome = anatomy.diaphragm + 0.04 * np.sign(x) + 1.6 * (np.abs(x) - 0.38) ** 2
    lungs *= _inside(dome - y, 0.04)
    heart = _inside(1 - ((x - 0.14) / anatomy.heart_radius) ** 2 - ((y - 0.28) / (anatomy.heart_radius * 1.1)) ** 2, 0.35)
    spine = np.exp(-((x / 0.1) ** 2))
    ribs = np.cos(np.pi * (y - 0.9 * (np.abs(x) - 0.35) ** 2 - 0.15 * np.abs(x)) / anatomy.rib_spacing) ** 4
    markings = _texture(size, 1.3, rng) * np.exp(-((np.abs(x) - 0.22) ** 2 + (y - 0.05) ** 2) / 0.12)
    brightness = 0.04 + body * (0.62 - 0.4 * lungs)
    brightness += body * (0.3 * heart * (0.4 + 0.6 * lungs) + 0.16 * spine)
    brightness += anatomy.rib_strength * ribs * body * (np.abs(x) > 0.08)
    brightness += anatomy.vessel_strength * lungs * markings
    return Chest(brightness.astype(np.float32), (lungs * (1 - heart)).astype(np.float32), x, y)


def ground_glass(chest: Chest, severity: float, rng: np.random.Generator) -> Field:
    """Soft, cloudy blobs in both lungs, most at the edges and bases, (size, size); `severity` in 0..1 sets number and density."""
    cloud = np.zeros_like(chest.x)
    for side in (-1, 1):
        for _ in range(1 + int(rng.integers(1, 3) + 2 * severity)):
            centre_x, centre_y = side * rng.uniform(0.45, 0.72), rng.uniform(-0.15, 0.5)
            width, height = rng.uniform(0.07, 0.16), rng.uniform(0.08, 0.2)
            blob = np.exp(-(((chest.x - centre_x) / width) ** 2) - ((chest.y - centre_y) / height) ** 2)
            cloud = np.maximum(cloud, blob * rng.uniform(0.6, 1))
    cloud *= 0.75 + 0.35 * _texture(chest.x.shape[0], 2.0, rng)
    return np.asarray((CLOUD[0] + CLOUD[1] * severity) * cloud * chest.lungs, np.float32)


def perihilar_streaks(chest: Chest, severity: float, rng: np.random.Generator) -> Field:
    """Fine lines that radiate from both hila into the lungs, (size, size); `severity` in 0..1 sets number and density."""
    streaks = np.zeros_like(chest.x)
    for side in (-1, 1):
        near = (chest.lungs > 0.02) & (chest.x * side > 0.1)  # all else is dark anyway
        dx, dy = (chest.x[near] - side * 0.2) * side, chest.y[near] - 0.05
        radius, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
        for direction in np.cumsum(rng.uniform(0.12, 0.3, 14)) - 1.7:
            reach, bend, strength = rng.uniform(0.2, 0.45), rng.uniform(-0.6, 0.6), rng.uniform(0.5, 1)
            across = (angle - direction - bend * radius) * radius / 0.022
            streaks[near] = np.maximum(streaks[near], strength * np.exp(-(across**2) - (radius / reach) ** 2))
    return np.asarray((STREAKS[0] + STREAKS[1] * severity) * streaks * chest.lungs, np.float32)


def expose(brightness: Field, anatomy: Anatomy, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Turn brightness into an 8-bit image, (size, size): blur, exposure, noise.

    Args:
        brightness: (size, size), 0 to 1.
    """
    size = brightness.shape[0]
    image = gaussian_filter(np.clip(brightness, 0, 1), anatomy.blur * size / 128) ** anatomy.exposure
    image += rng.normal(0, anatomy.noise, image.shape)
    return np.asarray(np.round(255 * np.clip(image, 0, 1)), np.uint8)


_FINDINGS: dict[str, Callable[[Chest, float, np.random.Generator], Field]] = {
    "COVID": ground_glass,
    "Viral Pneumonia": perihilar_streaks,
}


def draw(label: str, number: int, config: PhantomConfig) -> NDArray[np.uint8]:
    """Draw patient `number` of a class as (image_size, image_size) uint8; the same arguments give the same pixels."""
    rng = _patient(label, number, config)
    anatomy = Anatomy.of_patient(rng)
    chest = draw_chest(anatomy, config.image_size, rng)
    brightness = chest.brightness
    if label in _FINDINGS:
        brightness = brightness + _FINDINGS[label](chest, rng.beta(1.2, 1.6), rng)
    image = expose(brightness, anatomy, rng)
    if config.shortcut == "none":
        return image
    return plant(config.shortcut, value_of(list(CLASS_SHARES).index(label), config.strength, config.turned, rng), image)


def lungs_of(label: str, number: int, config: PhantomConfig) -> Field:
    """Where the lungs of patient `number` of a class are: (image_size, image_size), 0 to 1, without the heart."""
    rng = _patient(label, number, config)
    return draw_chest(Anatomy.of_patient(rng), config.image_size, rng).lungs


def _patient(label: str, number: int, config: PhantomConfig) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([VERSION, config.seed, list(CLASS_SHARES).index(label), number]))


def _patient_frame(anatomy: Anatomy, size: int) -> tuple[Field, Field]:
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(axis, axis)
    x, y = (x - anatomy.shift_x) / anatomy.scale, (y - anatomy.shift_y) / anatomy.scale
    cos, sin = np.float32(np.cos(anatomy.tilt)), np.float32(np.sin(anatomy.tilt))
    return (cos * x + sin * y).astype(np.float32), (cos * y - sin * x).astype(np.float32)


def _inside(implicit: Field, softness: float) -> Field:
    return np.asarray(1 / (1 + np.exp(-np.clip(implicit / softness * 4, -30, 30))), np.float32)


def _texture(size: int, scale: float, rng: np.random.Generator) -> Field:
    """Smooth noise with unit spread; `scale` in pixels of a 128-pixel image."""
    noise = gaussian_filter(rng.normal(size=(size, size)), scale * size / 128)
    return np.asarray(noise / noise.std(), np.float32)
