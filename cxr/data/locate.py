"""Where the images of a config are: a folder of the user's, or phantoms drawn on first use."""

from pathlib import Path

from platformdirs import user_cache_path

from cxr.config import DataConfig, SplitConfig
from cxr.data.folders import ImageFolder, check_counts, find_images
from cxr.data.split import part_names
from cxr.progress import Stage
from cxr.words import in_words


def locate_images(data: DataConfig, split: SplitConfig, stage: Stage) -> ImageFolder:
    """List the images, drawing the phantoms first where they are asked for; raises `Mistake` if they can't be split."""
    if data.phantom is None:
        assert data.root is not None  # checked with the config
        root = Path(data.root).expanduser()
    else:
        root = _draw_phantoms(data, stage)
    images = find_images(data, root)
    check_counts(images, parts=len(part_names(split)))
    return images


def _draw_phantoms(data: DataConfig, stage: Stage) -> Path:
    assert data.phantom is not None
    folder = Path(data.root).expanduser() if data.root else user_cache_path("cxr") / "phantoms"
    from cxr.data.phantom import drawn, ensure_drawn

    if (there := drawn(data.phantom, folder)) is not None:
        return there
    with stage("draw", f"Drawing {in_words(data.phantom.count, 'phantom')} into {folder}") as update:
        return ensure_drawn(data.phantom, folder, update)
