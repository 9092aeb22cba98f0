"""A run as its store has it: what it logged, its files, and how far it came."""

import hashlib
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from urllib.parse import unquote, urlsplit

from cxr.errors import UserError
from cxr.tracking import stage
from cxr.tracking.scratch import download_folder
from cxr.tracking.stage import HOLDS_TRAINING, TAG
from cxr.tracking.store import folder_of

_STAGE = "seconds/"  # metrics of a run: what each stage of it took


@dataclass(frozen=True)
class LoggedRun:
    """A run in the store."""

    id: str
    name: str
    status: str
    started: int  # milliseconds since 1970
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    artifacts: str = ""  # URI of the folder of its artifacts
    store: str = ""  # URI of the store that it is in
    is_active: bool = True  # not deleted

    @property
    def short_id(self) -> str:
        """The first characters of the id, for people to type."""
        return self.id[:8]

    @property
    def day(self) -> str:
        """When it was started, in UTC, as 2026-11-25 14:05."""
        return datetime.fromtimestamp(self.started / 1000, UTC).strftime("%Y-%m-%d %H:%M")

    def file(self, name: str) -> Path:
        """The artifact on this disk, else a copy that goes with this process.

        Raises:
            UserError: It can't be read.
        """
        if folder_at(self.artifacts) is None:
            return self._download(name)
        for folder in (folders := self._folders()):
            if S_ISREG(self._mode(folder / name)):
                return folder / name
        raise UserError(f"run {self.name} ({self.short_id}) has no {name}: it should be in {folders[0]}")

    def _download(self, name: str) -> Path:
        import mlflow

        try:
            place = {"dst_path": str(download_folder()), "tracking_uri": self.store}
            return Path(mlflow.artifacts.download_artifacts(run_id=self.id, artifact_path=name, **place))
        except Exception as error:  # MLflow's own, of its clients of object stores, or of the network
            raise UserError(f"can't fetch {name} of run {self.name} ({self.short_id}): {' '.join(str(error).split())}") from None

    def has_file(self, name: str) -> bool:
        """Whether the run's store has this artifact; of a server's only the list is fetched.

        Raises:
            UserError: This can't be read: a folder that is missing, a permission, a server that refuses.
        """
        if folder_at(self.artifacts) is None:
            return name in self._listed_sizes({name.rpartition("/")[0]})
        modes = [self._mode(folder / name, follow_symlinks=False) for folder in self._folders()]
        return any(mode and not S_ISDIR(mode) for mode in modes)

    def _folders(self) -> list[Path]:
        """The folders on this disk that hold the artifacts; raises `UserError` if they are missing.

        A store that was moved, or copied from another machine, still names the old folders: then the artifacts next to it count.
        """
        logged, beside = folder_at(self.artifacts), folder_of(self.store)
        assert logged is not None
        named = [logged, *([beside / "artifacts" / self.id / "artifacts"] if beside else [])]
        if folders := [folder for folder in dict.fromkeys(named) if S_ISDIR(self._mode(folder))]:
            return folders
        raise UserError(
            f"run {self.name} ({self.short_id}) has no artifacts: {logged} is not there; bring it back, or delete the run"
        )

    def _mode(self, path: Path, follow_symlinks: bool = True) -> int:
        """The kind of a file and its permissions, 0 where nothing has this name; raises `UserError` where that can't be read."""
        try:
            return path.stat(follow_symlinks=follow_symlinks).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return 0
        except OSError as error:
            raise UserError(f"{path} of run {self.name} ({self.short_id}) can't be read: {error.strerror}") from None

    @property
    def lacks_artifacts(self) -> bool:
        """Whether its folder of artifacts was removed from this disk; not where the folder of all runs is not there."""
        folder = folder_at(self.artifacts)
        return folder is not None and not folder.exists() and folder.parents[1].is_dir()

    def lost_files(self, files: Mapping[str, tuple[int, str]]) -> list[str]:
        """Those of these artifacts, given with bytes and SHA-256, that are gone or differ; a server's by size alone."""
        if folder_at(self.artifacts) is None:
            sizes = self._listed_sizes({name.rpartition("/")[0] for name in files})
            return [name for name, (size, _) in files.items() if sizes.get(name) != size]
        return [name for name, file in files.items() if not self.has_file(name) or _state_of(self.file(name)) != file]

    def _listed_sizes(self, folders: Set[str]) -> dict[str, int | None]:
        """Bytes of the artifacts in these folders of a server, by name; None for a folder."""
        import mlflow

        client = mlflow.MlflowClient(self.store)
        try:
            listed = [item for folder in sorted(folders) for item in client.list_artifacts(self.id, folder or None)]
        except Exception as error:  # MLflow's own, of its clients of object stores, or of the network
            reason = " ".join(str(error).split())
            raise UserError(f"can't list the files of run {self.name} ({self.short_id}): {reason}") from None
        return {item.path: item.file_size for item in listed}

    @property
    def bytes_on_disk(self) -> int | None:
        """Bytes that its artifacts take, with the model that MLflow keeps beside them; None for artifacts of a server."""
        folder = folder_at(self.artifacts)
        if folder is None or not folder.is_dir():
            return None
        sizes = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
        return sum(sizes.values()) + sizes.get(folder / "model/model.keras", 0)

    @property
    def seconds(self) -> dict[str, float]:
        """What each stage of it took."""
        return {name.removeprefix(_STAGE): value for name, value in self.metrics.items() if name.startswith(_STAGE)}

    @property
    def is_finished(self) -> bool:
        """Whether all its results were written: by its own last mark, or for runs of an earlier cxr by their headline metric.

        MLflow marks a run FINISHED when its process ends, even after a failure.
        """
        headline = f"{self.tags['cxr.judged_on']}/accuracy" if "cxr.judged_on" in self.tags else None
        of_earlier = TAG not in self.tags and (headline is None or headline in self.metrics)
        return self.status == "FINISHED" and (of_earlier or self.tags.get(TAG) == stage.FINISHED)

    @property
    def holds_training(self) -> bool:
        """Whether model and predictions are in its store, finished or not."""
        return self.is_finished or self.tags.get(TAG) in HOLDS_TRAINING


def sha256_of(path: Path) -> str:
    """Of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _state_of(path: Path) -> tuple[int, str]:
    return path.stat().st_size, sha256_of(path)


def folder_at(uri: str) -> Path | None:
    """The folder of artifacts on this disk; None for those of a server.

    >>> folder_at("file:///a%20b"), folder_at("mlflow-artifacts:/1/a")
    (PosixPath('/a b'), None)
    """
    split = urlsplit(uri)
    return Path(unquote(split.path)) if split.scheme in ("", "file") else None
