"""Takes the pictures of the README: a small sweep with its baseline on phantoms, its report, and its runs in the MLflow UI."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

SWEEP = ("-m", "freeze=head,last_stage", "loss=plain,balanced", "baseline.auto=true", "evaluation.resamples=500")
# Panels of MLflow's UI that are open at first and have nothing to do with the runs.
CLOSED = ("mlflow.assistant.chat_panel.close", "mlflow.experiment_page.shared_view.dismiss", "mlflow_header.toggle_sidebar_button")
WAIT = 20  # seconds that the UI gets to draw itself


def main(target: Path) -> None:
    """Make report.png and comparison.png in a folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-m", "cxr", *SWEEP], cwd=folder, check=True)
        best = max(folder.glob("mlruns/artifacts/*/artifacts/report.html"), key=lambda path: path.stat().st_mtime)
        with browser(1180, 1000) as window:
            window.get(best.as_uri())
            window.save_screenshot(str(target / "report.png"))
        server = subprocess.Popen(
            [sys.executable, "-m", "cxr", "ui", "--port", "5731", "--sweep", next((folder / "mlruns/sweeps").iterdir()).name],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[2]
            with browser(1800, 560) as window:
                window.get(address)  # it is printed when the server answers
                time.sleep(WAIT)
                for name in CLOSED:
                    for button in window.find_elements("css selector", f"[data-component-id='{name}']"):
                        button.click()
                time.sleep(2)
                window.save_screenshot(str(target / "comparison.png"))
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)
    for path in target.glob("*.png"):
        Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)


def browser(width: int, height: int) -> Chrome:
    """A window of this size, in pixels."""
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or "chromium"
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{flag}")
    options.add_argument(f"--window-size={width},{height}")
    return Chrome(options, ChromeService(shutil.which("chromedriver")))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
