"""Nothing is ever written below `data.root`, by no command; and printed commands work, whatever the folder is called."""

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Command

NAME = "archive (1), ä = # ' \" $HOME"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, phantoms: Path) -> Iterator[Path]:
    """A read-only folder with an awkward name, in a folder for everything else."""
    root = Path(shutil.copytree(phantoms, tmp_path_factory.mktemp("images") / NAME))
    places = [root, *root.rglob("*")]
    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    yield root
    for place in places:
        place.chmod(0o755)


def listing(root: Path) -> list[tuple[str, int, int]]:
    """Every file and folder with its size and time."""
    return sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in (root, *root.rglob("*")))


COMMANDS = {
    "index": ("data", "index", "ROOT"),
    "check": ("data", "check", "ROOT"),
    "show": ("data", "show", "ROOT"),
    "profile": ("data", "profile", "ROOT"),
    "masks": ("data", "masks", "ROOT"),
    "plan": ("plan", "-m", "ROOT", "backbone=phantom", "loss=plain,focal"),
    "predict": ("predict", "then", "IMAGES"),
    "evaluate": ("evaluate", "then", "ROOT"),
    "audit": ("audit", "then", "ROOT", "audit.images=30", "audit.seen=30"),
    "dry": ("reproduce", "then", "--dry", "ROOT"),
    "external": ("results", "then", "--external", "IMAGES"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, images: Path, cxr_here: Command) -> Path:
    """A folder with a run on those images, `then`."""
    folder, before = tmp_path_factory.mktemp("runs"), listing(images)
    done = cxr_here(
        *(f"data.root={images}", "backbone=phantom", "training.epochs=1", "audit=off"),
        *("tracking.run_name=then", "evaluation.resamples=100", "evaluation.pictures=false"),
        folder=folder,
    )
    assert done.returncode == 0, done.stderr
    assert listing(images) == before
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_images_are_as_before(command: str, images: Path, folder: Path, cxr_here: Command) -> None:
    before = listing(images)
    words = {"ROOT": f"data.root={images}", "IMAGES": str(images)}
    done = cxr_here(*(words.get(word, word) for word in COMMANDS[command]), folder=folder)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or "none is left to evaluate" in done.stderr, done.stderr  # all of them are the run's own
    assert listing(images) == before


def test_printed_command_works_as_it_is(images: Path, tmp_path: Path, cxr_here: Command) -> None:
    done = cxr_here("data", "index", f"data.root={images}", "--to", "list (1).csv", folder=tmp_path)
    (command,) = (line.partition("with  cxr ")[2] for line in done.stdout.splitlines() if "Train on exactly these" in line)
    pasted = subprocess.run(["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, text=True, check=True).stdout
    assert pasted.split("\0")[:-1] == shlex.split(command)
    composed = cxr_here("--cfg", "job", *shlex.split(command), folder=tmp_path)
    assert composed.returncode == 0, composed.stderr
    assert "manifest: list (1).csv" in composed.stdout
    again = cxr_here("data", "check", *shlex.split(command), folder=tmp_path)
    assert again.returncode == 0, again.stdout
