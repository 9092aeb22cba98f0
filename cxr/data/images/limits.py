"""The limits of an image in pixels, and the rejection of files that exceed them."""

_MOST_PIXELS = 40_000_000  # twice the largest detector; beyond it a small file could fill the memory
_LONGEST_SIDE = 20_000  # pixels
_SCAN, _MOST_SCANS = b"\xff\xda", 100  # a progressive JPEG has about ten; each goes over all of its pixels
_SHORTEST_SIDE = 16  # pixels; less than that shows no chest


NO_IMAGE = "no image"  # how the reason begins for a file that is by its kind none, and never meant to be one


class UnreadableImage(ValueError):
    """A file that is no readable image; the text says why. It is the same whenever the file is read."""


def check_size(width: int, height: int) -> None:
    """Raise `UnreadableImage` for a size in pixels that no chest radiograph has. Call it before memory is allocated."""
    if width * height > _MOST_PIXELS or max(width, height) > _LONGEST_SIDE:
        raise UnreadableImage(f"{width} x {height} pixels are more than any chest radiograph has")
    if min(width, height) < _SHORTEST_SIDE:
        raise UnreadableImage(f"{width} x {height} pixels are too few to show a chest")


def check_scans(jpeg: bytes) -> None:
    """Raise `UnreadableImage` for a JPEG with more scans than any radiograph has."""
    if jpeg.count(_SCAN) > _MOST_SCANS:
        raise UnreadableImage("more scans than any radiograph is saved in")
