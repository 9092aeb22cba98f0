"""Fixtures of several rooms: small phantoms, the composed config, the command in a process of its own or in this one."""

import gc
import io
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from copy import deepcopy
from functools import cache
from itertools import count
from pathlib import Path
from typing import cast

import pytest
from filelock import FileLock
from hydra import compose, initialize_config_dir
from hydra._internal import logging_config
from hydra.core.config_store import ConfigStore
from hypothesis import settings
from mlflow.store.db import utils as db_utils
from PIL import Image
from rich.console import Console
from sqlalchemy import create_engine
from sqlalchemy.engine import Engine

from cxr.cli import main
from cxr.config.compose import typed
from cxr.config.options import CONF_DIR
from cxr.config.schema import Config, PhantomConfig
from cxr.data.sources.phantom import ensure_drawn
from cxr.evaluation.figures import drawing
from cxr.progress import Progress
from cxr.system import prepare_memory

pytest_plugins = ["tests.logged_runs", "tests.small_backbone", "tests.untrained_runs"]
settings.register_profile("cxr", deadline=None, derandomize=True)  # the same examples every time, however slow the machine
settings.load_profile("cxr")

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY.parent / "shared"
REAL_IMAGES = SHARED / "data/radiography-2k"
REAL_WEIGHTS = SHARED / "weights/mobilenet_v2_1.0_224_imagenet_no_top.weights.h5"

TRAINING = (
    "tests/end_to_end/",
    "tests/run/",
    "tests/training/",
    "tests/commands/test_ui",
    "tests/reproduce/",
)  # tests that take longest

_colours = count()

Compose = Callable[..., Config]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def compose_config() -> Compose:
    """Compose conf/ with overrides, as the command does, and check it."""
    ConfigStore.instance().store(name="schema", node=Config)

    @cache
    def composed(*overrides: str) -> Config:
        with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
            return typed(compose("config", list(overrides)))

    return lambda *overrides: deepcopy(composed(*overrides))


@pytest.fixture(scope="session")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder of these tests, so that phantoms are really drawn."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty phantoms in the layout of the real database."""
    return ensure_drawn(PhantomConfig(count=40), tmp_path_factory.mktemp("phantoms"), lambda done, total: None)


@pytest.fixture(scope="session")
def own_classes(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same images in three folders of other names, of which one says that its class is normal."""
    folder = tmp_path_factory.mktemp("own")
    for name, own in (("COVID", "Old TB"), ("Normal", "No Finding"), ("Viral Pneumonia", "Effusion")):
        shutil.copytree(phantoms / name / "images", folder / own)
    return folder


@pytest.fixture(scope="session")
def run_cxr(cache_home: Path) -> Command:
    """Run the real command in a folder; returns its exit code and what it printed."""

    def run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "HYDRA_"))}
        return subprocess.run(
            [sys.executable, "-m", "cxr", *arguments],
            cwd=folder,
            env={**inherited, "XDG_CACHE_HOME": str(cache_home), "CXR_CACHE": str(cache_home / "kept"), **environment},
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )

    return run


@contextmanager
def blank_figures() -> Iterator[None]:
    """Figures of reports are one pixel, of another colour each time: to draw them takes a third of a small run.

    They are drawn in tests/evaluation/figures, and by `run_cxr`.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "png_of", lambda figure, dpi: _pixel())
        patch.setattr(drawing, "svg_of", lambda figure: b"<svg xmlns='http://www.w3.org/2000/svg'/>")
        yield


def _pixel() -> bytes:
    Image.new("RGB", (1, 1), next(_colours)).save(buffer := io.BytesIO(), "png")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def cxr_here(cache_home: Path) -> Command:
    """The command in this process, which has TensorFlow and MLflow already: the same arguments, answers and exit codes.

    Only its figures are not drawn: see `blank_figures`.
    """

    def run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, blank_figures(), redirect_stdout(out), redirect_stderr(err):
            for name in [name for name in os.environ if name.startswith(("MLFLOW_", "HYDRA_"))]:
                patch.delenv(name)
            for name, value in {"XDG_CACHE_HOME": str(cache_home), "CXR_CACHE": str(cache_home / "kept"), **environment}.items():
                patch.setenv(name, value)
            patch.setenv("CXR_CONFIG", environment.get("CXR_CONFIG", ""))  # --config-dir sets it
            patch.chdir(folder)
            patch.setattr(sys, "argv", ["cxr", *arguments])
            patch.setattr(logging_config, "configure_logging", lambda config: None)  # it would close the handlers of pytest
            handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
            collected = gc.get_threshold()
            try:
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
            finally:
                gc.set_threshold(*collected)
                for number, handler in handlers.items():
                    signal.signal(number, handler)
        return subprocess.CompletedProcess(["cxr", *arguments], code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(autouse=True, scope="session")
def _quick_stores(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[None]:
    """Stores that this process makes are copies of one, made once: MLflow's migrations take 4 s a store, a copy takes 0.2 s."""
    folder = tmp_path_factory.getbasetemp()
    template = (folder if worker_id == "master" else folder.parent) / "mlflow-template.db"
    migrate: Callable[[Engine], None] = db_utils._initialize_tables

    def copy_template(engine: Engine) -> None:
        if engine.dialect.name != "sqlite":
            migrate(engine)
            return
        with FileLock(template.with_suffix(".lock")):
            if not template.exists():
                unfinished = template.with_suffix(".part")
                migrate(create_engine(f"sqlite:///{unfinished}"))
                unfinished.rename(template)
        with closing(engine.raw_connection()) as target, closing(sqlite3.connect(template)) as source:
            source.backup(cast(sqlite3.Connection, target.driver_connection))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db_utils, "_initialize_tables", copy_template)
        yield


@pytest.fixture(autouse=True, scope="session")
def _cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Runs in this process neither read nor write the cache of the person who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXR_CACHE", str(tmp_path_factory.mktemp("cxr-cache")))
        yield


@pytest.fixture(autouse=True)
def _environment_of_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the store of the test before, which MLflow writes into the environment, and how pytest was started."""
    monkeypatch.setenv("CXR_COMMAND", "cxr")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def quiet() -> Progress:
    """Progress that prints nothing."""
    return Progress(Console(quiet=True))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--all` runs the slow tests too."""
    parser.addoption("--all", action="store_true", help="run the tests that are marked slow too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `--all`, leave out the slow tests, unless one is given by its own name."""
    named = any("::" in argument for argument in config.args)
    if not (config.getoption("--all") or config.getoption("-m") or named):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
    # Files that train go first, so that no worker is left with a long one at the end.
    items.sort(key=lambda item: not item.path.relative_to(config.rootpath).as_posix().startswith(TRAINING))


def pytest_collection_finish() -> None:
    """Every training of a test collects garbage: without the modules that are imported by now it takes no time."""
    prepare_memory()
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def real_images() -> Path:
    """The real images next to the checkout; tests that need them skip where they are absent."""
    if not (REAL_IMAGES.is_dir() and REAL_WEIGHTS.is_file()):
        pytest.skip("the real images and weights of ../shared are not here")
    return REAL_IMAGES
