"""A source: phantoms, drawn on first use into a folder in the layout of the radiography database."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from filelock import FileLock
from PIL import Image

from cxr.anatomy.phantom import CLASS_SHARES, VERSION, draw
from cxr.cache.store import default_folder
from cxr.config.schema import DataConfig, PhantomConfig
from cxr.data.sources.folders import find_images
from cxr.errors import UserError
from cxr.progress import Stage
from cxr.system import expanded
from cxr.text import pluralize

find = find_images


def root_of(data: DataConfig, stage: Stage) -> Path:
    """The folder of the phantoms, drawn on first use into this user's cache; `data.root` names one that has them already.

    Raises:
        UserError: The phantoms can't be drawn, or `data.root` lacks them: nothing is written below it.
    """
    assert data.phantom is not None
    folder = expanded(data.root) if data.root else default_folder() / "phantoms"
    if (existing := drawn(data.phantom, folder)) is not None:
        return existing
    if data.root:
        raise UserError(
            f"data.root={folder} holds no such phantoms, and they are drawn into the cache alone: leave data.root out "
            "(CXR_CACHE=FOLDER names another place), or give data=folder for images of yours"
        )
    with stage("draw", f"Drawing {pluralize(data.phantom.count, 'phantom')} into {folder}") as update:
        try:
            return ensure_drawn(data.phantom, folder, update)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise UserError(f"phantoms can't be drawn into {folder} ({why}): CXR_CACHE=FOLDER names another place") from None


def class_counts(count: int) -> dict[str, int]:
    """How many images of each class make up `count`; Normal takes what rounding leaves.

    >>> class_counts(1000)
    {'COVID': 300, 'Normal': 500, 'Viral Pneumonia': 200}
    """
    counts = {label: round(count * share) for label, share in CLASS_SHARES.items()}
    counts["Normal"] += count - sum(counts.values())
    return counts


def drawn(config: PhantomConfig, folder: Path) -> Path | None:
    """The set's own folder below `folder`, if it has been drawn."""
    target = folder / _folder_name(config)
    return target if target.is_dir() else None


def ensure_drawn(config: PhantomConfig, folder: Path, on_progress: Callable[[int, int], None]) -> Path:
    """Draw the set into `folder` as CLASS/images/*.png unless it is there, and return its own folder below it.

    Of several processes one draws and the others wait. An interrupted set is never used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = _folder_name(config)
    target = folder / name
    with FileLock(folder / f"{name}.lock"):
        if not target.is_dir():
            unfinished = Path(mkdtemp(prefix=f"{name}-unfinished-", dir=folder))
            try:
                _draw_all(config, unfinished, on_progress)
                unfinished.chmod(0o755)
                unfinished.rename(target)
            except BaseException:
                rmtree(unfinished, ignore_errors=True)
                raise
    return target


def _folder_name(config: PhantomConfig) -> str:
    name = f"phantom-v{VERSION}-{config.count}-{config.image_size}px-seed{config.seed}"
    if config.shortcut == "none":
        return name
    return f"{name}-{config.shortcut}-{config.strength:g}{'-turned' if config.turned else ''}"


def _draw_all(config: PhantomConfig, folder: Path, on_progress: Callable[[int, int], None]) -> None:
    jobs = [(label, number) for label, count in class_counts(config.count).items() for number in range(count)]
    for label in CLASS_SHARES:
        (folder / label / "images").mkdir(parents=True)

    def draw_one(job: tuple[str, int]) -> None:
        label, number = job
        Image.fromarray(draw(label, number, config)).save(folder / label / "images" / f"{label}-{number + 1}.png")

    with ThreadPoolExecutor() as pool:
        for done, _ in enumerate(pool.map(draw_one, jobs), start=1):
            on_progress(done, len(jobs))
