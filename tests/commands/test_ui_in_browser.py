"""The UI in a real browser: the runs of a sweep are listed alone, and a run's figure opens."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from cxr.commands.local_server import free_port
from cxr.config.schema import Config, LossConfig, TrackingConfig
from cxr.tracking.run import open_run
from cxr.tracking.store import locate_store, open_store

pytestmark = pytest.mark.slow

LIMIT = 90  # seconds for anything to appear: several times what two busy cores take
SWEEP = {"focal 0.5": 0.5, "focal 1": 1.0, "focal 2": 2.0}  # each run's name and focal_gamma
RUN_LINKS = "//a[contains(@href, '/experiments/1/runs/')]"
FIGURE, FIGURE_WIDTH = "evaluation/confusion_matrix.png", 321


@dataclass(frozen=True)
class Window:
    """The UI in a browser."""

    browser: Chrome
    address: str
    screenshots: Path

    def open(self, route: str) -> None:
        """A page of the UI, loaded again."""
        self.browser.get("about:blank")
        self.until("the page loads", partial(self.browser.get, f"{self.address}/#{route}"))

    def find(self, xpath: str) -> list[WebElement]:
        """What is there now."""
        return self.browser.find_elements("xpath", xpath)

    def texts(self, xpath: str) -> set[object]:
        """The different texts of what is there now."""
        return {element.get_property("textContent") for element in self.find(xpath)}

    def click(self, what: str, xpath: str) -> None:
        """As soon as it is there and nothing covers it."""
        self.until(f"{what} can be clicked", lambda: self.browser.find_element("xpath", xpath).click())

    def until(self, hope: str, attempt: Callable[[], bool | None]) -> None:
        """Try until it neither raises nor says False; a screenshot named after the hope shows how that ended."""
        # While the page is drawn again, its elements may be gone or covered.
        wait = WebDriverWait(self.browser, LIMIT, ignored_exceptions=[WebDriverException])
        try:
            wait.until(lambda _: attempt() is not False, f"waited in vain until {hope}; see {self.screenshots}")
        finally:
            self.browser.save_screenshot(str(self.screenshots / f"{hope.replace(' ', '-')}.png"))


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    """`cxr ui` on a store with the runs of a sweep and one more, and a browser."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("chromium and chromedriver are not both on the PATH")
    folder = tmp_path_factory.mktemp("ui")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        fill_store(folder / "figures")
        port = free_port(10_000 + os.getpid() % 20_000)  # not the one that another test is about to take
        command = [sys.executable, "-m", "cxr", "ui", "--port", str(port)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    options = ChromeOptions()
    options.binary_location = chromium
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-background-networking"):
        options.add_argument(f"--{flag}")
    options.add_argument("--window-size=1600,1000")
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[2].partition("/#")[0]
        with Chrome(options, ChromeService(driver)) as browser:
            browser.set_page_load_timeout(LIMIT)
            yield Window(browser, address, folder)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def fill_store(figures: Path) -> None:
    """Three runs of one sweep and one of another."""
    (figures / FIGURE).parent.mkdir(parents=True)
    Image.new("RGB", (FIGURE_WIDTH, 240), "steelblue").save(figures / FIGURE)
    store = locate_store(TrackingConfig())
    open_store(store)
    for name, gamma in {**SWEEP, "of another sweep": 3.0}.items():
        tags = {"cxr.sweep_id": "focus" if name in SWEEP else "other", "cxr.role": "candidate"}
        with open_run(store, Config(loss=LossConfig(name="focal", focal_gamma=gamma)), name, tags) as run:
            run.log_metrics({"test/macro_f1": 0.9 - gamma / 10, "test/accuracy": 0.9 - gamma / 20})
            run.log_folder(figures)


def open_sweep(window: Window) -> None:
    """The run list, filtered by the sweep's tag."""
    window.open("/experiments/1/runs?searchFilter=" + quote("tags.`cxr.sweep_id` = 'focus'"))
    window.until("the sweep is listed alone", lambda: window.texts(RUN_LINKS) == set(SWEEP))


def test_a_sweep_is_listed_alone(window: Window) -> None:
    window.open("/experiments/1/runs")
    window.until("all runs are listed", lambda: window.texts(RUN_LINKS) == {*SWEEP, "of another sweep"})
    open_sweep(window)


def test_a_figure_opens(window: Window) -> None:
    open_sweep(window)
    window.click("the run", f"{RUN_LINKS}[. = 'focal 1']")
    window.click("the artifacts tab", "//*[@role = 'tab'][. = 'Artifacts']")
    for name in Path(FIGURE).parts:
        window.click(f"the artifact {name}", f"//*[@aria-label = '{name}']")
    images = f"//img[@alt = '{FIGURE}']"
    window.until(
        "the figure is shown", lambda: FIGURE_WIDTH in [image.get_property("naturalWidth") for image in window.find(images)]
    )
