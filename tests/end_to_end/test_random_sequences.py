"""Random sequences of changes, runs, kills and other sweeps at the same time: every number is that of a fresh store.

python -m tests.end_to_end.test_random_sequences SECONDS [SEED]    for as long as that
"""

import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest

from cxr.config.schema import PhantomConfig
from cxr.data.sources.phantom import ensure_drawn
from cxr.tracking.search import runs_by_id
from cxr.tracking.store import Store, open_store
from tests.conftest import Command
from tests.small_backbone import saved_backbone

SMALL = (
    *("data=manifest", "data.manifest=table.csv", "data.root=images", "data.columns.more=[age]", "split=three_way"),
    *("training.epochs=1", "training.threads=1", "training.deterministic=true", "augment=none"),
    *("freeze.warmup_epochs=0", "evaluation.resamples=100", "evaluation.figure_dpi=50", "evaluation.pictures=false"),
    *("audit.seen=40", "audit.changed=4", "audit.mapped=2"),
)
SETTINGS = {
    "audit.images": ("0", "40", "30"),
    "evaluation.sensitivity": ("0.95", "0.8"),
    "evaluation.missed_cost": ("10", "3"),
    "evaluation.views": ("1", "2"),
    "optimizer.momentum": ("0.9", "0.5"),
    "loss.focal_gamma": ("0", "2"),
    "training.epochs": ("1", "2"),
    "training.seed": ("0", "1"),
}
COLUMNS = {"source": ("one", "other"), "group": ("a", "b"), "age": ("20", "80"), "label": ("COVID", "Normal")}
SWEPT = ("loss.focal_gamma=0,2", "evaluation.sensitivity=0.95,0.8", "training.seed=0,1")


@dataclass
class World:
    """A folder with images, their table and a store, and the settings that commands have now."""

    folder: Path
    rng: random.Random
    backbone: tuple[str, ...]
    run_here: Command
    settings: dict[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    @staticmethod
    def made(folder: Path, seed: int, run_here: Command) -> "World":
        images = ensure_drawn(PhantomConfig(count=40), folder / "drawn", lambda done, total: None)
        shutil.copytree(images, folder / "images")
        for path in sorted((folder / "images").rglob("images/*.png")):
            (path.parents[1] / "masks").mkdir(exist_ok=True)
            shutil.copy(path, path.parents[1] / "masks" / path.name)
        paths = sorted(path.relative_to(folder / "images").as_posix() for path in (folder / "images").rglob("images/*.png"))
        rows = [(path, path.split("/")[0], "one", f"patient {row}", "20") for row, path in enumerate(paths)]
        pd.DataFrame(rows, columns=["path", "label", "source", "group", "age"]).to_csv(folder / "table.csv", index=False)
        return World(folder, random.Random(seed), saved_backbone(folder / "small.keras"), run_here)

    def command(self, *more: str) -> list[str]:
        swept = {override.partition("=")[0] for override in more}
        return [*(f"{key}={value}" for key, value in self.settings.items() if key not in swept), *more]

    def shrunk(self, arguments: list[str]) -> list[str]:
        given = {override.partition("=")[0] for override in arguments}
        return [*(override for override in (*SMALL, *self.backbone) if override.partition("=")[0] not in given), *arguments]

    def start(self, arguments: list[str]) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "cxr", *self.shrunk(arguments)]
        return subprocess.Popen(command, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def change(self) -> None:
        """One setting, one column, or one mask."""
        kind = self.rng.choice(("setting", "setting", "column", "mask"))
        if kind == "setting":
            key = self.rng.choice(sorted(SETTINGS))
            self.settings[key] = self.rng.choice(SETTINGS[key])
        elif kind == "column":
            table, column = pd.read_csv(self.folder / "table.csv", dtype=str), self.rng.choice(sorted(COLUMNS))
            table.loc[self.rng.randrange(len(table)), column] = self.rng.choice(COLUMNS[column])
            table.to_csv(self.folder / "table.csv", index=False)
        else:
            masks = sorted(self.folder.glob("images/*/masks/*.png"))
            shutil.copy(self.rng.choice(masks), self.rng.choice(masks))
        self.log.append(f"change of a {kind}: {self.settings}")

    def killed(self) -> None:
        """The command, killed when it says its first, second, ... line."""
        after = self.rng.randrange(1, 9)
        self.log.append(f"killed after line {after}")
        process = self.start(self.command())
        assert process.stdout is not None
        for number, _ in enumerate(process.stdout, 1):
            if number == after:
                process.kill()
                break
        process.communicate()

    def numbers(self, arguments: list[str], folder: Path) -> dict[str, dict[str, float]]:
        """What a command reports: the final numbers of its run, or of each job."""
        done = self.run_here(*self.shrunk(arguments), folder=folder)
        text = done.stdout + done.stderr
        assert done.returncode == 0, f"{self.log}\n{arguments}\n{text}"
        return self.reported(text, folder)

    def reported(self, text: str, folder: Path) -> dict[str, dict[str, float]]:
        open_store(Store(f"sqlite:///{folder / 'mlruns/mlflow.db'}", folder / "mlruns", folder / "mlruns"))
        if sweep := re.search(r"^Sweep (\S+): ", text, re.MULTILINE):
            table = pd.read_csv(folder / "mlruns/sweeps" / sweep[1] / "results.csv")
            ids = dict(zip(table["name"], table["run_id"], strict=True))
        else:
            known = {path.name for path in (folder / "mlruns/artifacts").iterdir()}
            short = re.findall(r"Run ([0-9a-f]{32}) is logged|\(([0-9a-f]{8})\) has all of it", text)
            named = "".join(short[-1])
            ids = {"run": next(name for name in known if name.startswith(named))}
        runs = runs_by_id(list(ids.values()))
        wanted = ("val/", "test/", "audit/")
        return {
            name: {key: value for key, value in runs[run].metrics.items() if key.startswith(wanted)} for name, run in ids.items()
        }

    def check(self, arguments: list[str], got: dict[str, dict[str, float]]) -> None:
        """The same command in an empty store."""
        with tempfile.TemporaryDirectory() as empty:
            for name in ("table.csv", "images"):
                (Path(empty) / name).symlink_to(self.folder / name)
            fresh = self.numbers(arguments, Path(empty))
        for name, metrics in fresh.items():
            own = {key: got[name].get(key) for key in metrics}
            assert own == metrics, f"{self.log}\n{arguments}: {name}"

    def step(self) -> None:
        for _ in range(self.rng.randrange(1, 3)):
            self.change()
        kind = self.rng.choice(("run", "killed", "sweep", "two sweeps", "repeat"))
        self.log.append(kind)
        if kind == "killed":
            self.killed()
        if kind in ("sweep", "two sweeps"):
            swept = self.rng.sample(SWEPT, 2)
            commands = [["-m", *self.command(choices)] for choices in swept[: 1 if kind == "sweep" else 2]]
            started = [self.start(command) for command in commands]
            texts = [process.communicate()[0] for process in started]
            for command, process, text in zip(commands, started, texts, strict=True):
                assert process.returncode == 0, f"{self.log}\n{command}\n{text}"
                self.check(command, self.reported(text, self.folder))
            return
        self.check(self.command(), self.numbers(self.command(), self.folder))
        if kind == "repeat":
            self.check(self.command(), self.numbers(self.command(), self.folder))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0])
def test_every_number_of_a_random_sequence_is_that_of_a_fresh_store(
    seed: int, tmp_path: Path, cache_home: Path, cxr_here: Command
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXR_CACHE", str(cache_home / "kept"))
        World.made(tmp_path, seed, cxr_here).step()


def _in_a_process(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "cxr", *arguments], cwd=folder, text=True, capture_output=True, check=False)


if __name__ == "__main__":
    until, seed = time.monotonic() + float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    world, steps = World.made(Path(tempfile.mkdtemp()), seed, _in_a_process), 0
    while time.monotonic() < until:
        world.step()
        steps += 1
        print(f"{steps} steps, the last {world.log[-3:]}", flush=True)
