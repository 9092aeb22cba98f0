"""What one result rests on, item by item, and its fingerprint: two results with equal fingerprints are the same."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

import pandas as pd

from cxr.stages.code import modules_of, plugged_in, short_hash, version_of
from cxr.stages.table import ROWS, SETTINGS, File, Params, Part, Row, Setting, Stage

ROW: Mapping[Stage, Row] = {row.stage: row for row in ROWS}
_READERS: dict[str, list[Setting]] = {}
for _setting in SETTINGS:
    _READERS.setdefault(_setting.key, []).append(_setting)
ITEMS = ("settings", "columns", "files", "code", "libraries")
RESULTS = (Stage.TRAIN, Stage.GATE, Stage.PREDICT, Stage.ASSESS)  # of every experiment; an audit and a report come on top


@dataclass(frozen=True)
class Basis:
    """What a stage rests on; every value is a text or a hash."""

    settings: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)  # fingerprints of the stages before

    @cached_property
    def fingerprint(self) -> str:
        """The hash of all items, 16 hex digits."""
        return short_hash(json.dumps(asdict(self), sort_keys=True))


@dataclass(frozen=True)
class Inputs:
    """What a run is given: its config as params, its manifest, and the hash of each file that counts by its content."""

    params: Params
    manifest: pd.DataFrame
    files: Mapping[File, str]
    masks: Callable[[], str] = str  # the hash of all mask files, worked out where a stage reads them

    @cached_property
    def _masks(self) -> str:
        return self.masks()

    @cached_property
    def columns(self) -> dict[str, str]:
        """The hash of each column of the manifest, by name; the order of its rows does not count."""
        ordered = self.manifest.sort_values("path", kind="stable")
        return {str(name): _hash_of(ordered["path"], ordered[name]) for name in ordered.columns}

    @cached_property
    def bases(self) -> dict[Stage, Basis]:
        """What every stage rests on. A report counts as one of an audited run where the config audits."""
        return self.bases_beside("")

    def bases_beside(self, audit: str) -> dict[Stage, Basis]:
        """The same where the run has an audit of this fingerprint, which counts unless the config makes its own; "": none."""
        made: dict[Stage, Basis] = {}
        for row in ROWS:
            after = {stage.value: made[stage].fingerprint for stage in row.after if ROW[stage].writes}
            if Stage.AUDIT in row.after and not is_audited(self.params):
                after.pop(Stage.AUDIT)
                after |= {Stage.AUDIT.value: audit} if audit else {}
            own = self.basis_of(row, after)
            made[row.stage] = _merged(own, [made[stage] for stage in row.after if not ROW[stage].writes])
        return made

    def identity(self) -> str:
        """A hash of settings, columns and files of all results but the report, 16 hex digits: of the question, not of the code."""
        stages = [row.stage for row in ROWS if row.stage not in (Stage.DECODE, Stage.REPORT)]
        parts = [(stage, basis.settings, basis.columns, basis.files) for stage, basis in self.bases.items() if stage in stages]
        return short_hash(json.dumps(parts, sort_keys=True, default=dict))

    def basis_of(self, row: Row, after: Mapping[str, str] = MappingProxyType({})) -> Basis:
        """What a stage rests on after stages of these fingerprints."""
        wanted = None if row.columns is None else [name for name, when in row.columns.items() if when(self.params)]
        if row.stage == Stage.ASSESS:
            wanted = [*(wanted or ()), *_subgroups(self.params)]
        files = [file for file, when in (row.files or {}).items() if when(self.params)]
        return Basis(
            settings={} if row.stage == Stage.DECODE else settings_of(self.params, row.stage),  # which show in its columns
            columns={name: hashed for name, hashed in self.columns.items() if wanted is None or name in wanted},
            files={file.value: self._masks if file == File.MASKS else self.files.get(file, "") for file in files},
            code={**modules_of(row.stage), **plugged_in(row.stage, self.params), f"stage {row.stage}": str(row.version)},
            libraries={name: version_of(name) for name in row.libraries},
            after=dict(after),
        )


def _merged(basis: Basis, others: Sequence[Basis]) -> Basis:
    """A basis with those of earlier stages that leave nothing in the run, and so have no record of their own."""
    for other in others:
        basis = replace(basis, **{name: {**getattr(other, name), **getattr(basis, name)} for name in ITEMS})
    return basis


def of_rows(params: Params, *stages: Stage) -> str:
    """The fingerprint of what rows of these stages depend on beside images and weights: settings, code and libraries."""
    inputs = Inputs(params, pd.DataFrame({"path": []}), {})
    return short_hash(json.dumps([asdict(inputs.basis_of(ROW[stage])) for stage in stages], sort_keys=True))


def check_settings(keys: Sequence[str]) -> None:
    """Raise `KeyError` for a setting that the table gives to no stage: it would count for none."""
    if unknown := [key for key in keys if key not in _READERS]:
        raise KeyError(f"cxr/stages/table.py does not say which stage reads {', '.join(unknown)}")


def settings_of(params: Params, *stages: Stage) -> dict[str, str]:
    """The settings that any of these stages reads, with their values."""
    read = {setting.key for setting in SETTINGS if setting.stage in stages and setting.when(params)}
    return {key: value for key, value in params.items() if key in read}


def bears_on_result(key: str, params: Params | None = None) -> bool:
    """Whether a result may depend on a setting, or with `params` does.

    >>> bears_on_result("freeze.trainable_from"), bears_on_result("tracking.uri"), bears_on_result("freeze.name")
    (True, False, False)
    >>> bears_on_result("optimizer.momentum", {"optimizer.name": "adam"})
    False
    """
    counted = [setting for setting in _READERS.get(key, ()) if setting.stage not in (None, Stage.REPORT, Stage.AUDIT)]
    return any(params is None or setting.when(params) for setting in counted) or key in ("backbone.weights", "backbone.file")


def is_compared(key: str) -> bool:
    """Whether a comparison lists a setting: those that bear on the result, and names of their options.

    >>> is_compared("freeze.name"), is_compared("tracking.uri")
    (True, False)
    """
    if key.endswith(".name") and key in _READERS:
        group = key.removesuffix("name")
        return any(bears_on_result(other) for other in _READERS if other.startswith(group))
    return bears_on_result(key)


def settings_in(part: Part) -> set[str]:
    """The settings that belong to a part of an experiment."""
    return {setting.key for setting in SETTINGS if setting.part == part}


def result_tags(inputs: Inputs) -> dict[str, str]:
    """The tags that name settings, code and libraries of all results, for readers; records decide what has to be made again."""
    bases = [inputs.bases[stage] for stage in RESULTS]
    parts = {
        "config": [(basis.settings, basis.files) for basis in bases],
        "code": [basis.code for basis in bases],
        "library": [basis.libraries for basis in bases],
    }
    return {f"cxr.{name}_fingerprint": short_hash(json.dumps(part, sort_keys=True, default=dict)) for name, part in parts.items()}


def is_studied(key: str) -> bool:
    """Whether a sweep studies a setting, or a group of options: what a preset decides, the network, or a group without settings.

    >>> is_studied("freeze"), is_studied("ablation"), is_studied("evaluation"), is_studied("backbone.weights")
    (True, True, False, False)
    """
    inside = [setting for setting in SETTINGS if setting.key == key or setting.key.startswith(f"{key}.")]
    return not inside or any(setting.part == Part.RECIPE or setting.stage == Stage.NETWORK for setting in inside)


def of_head(key: str) -> bool:
    """Whether heads that train side by side may differ in a setting."""
    return any(setting.of_head for setting in _READERS.get(key, ()))


def is_audited(params: Params) -> bool:
    """Whether a config audits its run."""
    return params.get("audit.images", "0") != "0"


def _subgroups(params: Params) -> list[str]:
    named = params.get("evaluation.subgroups", "None")
    more = [str(name) for name in json.loads(params.get("data.columns.more", "[]") if named == "None" else named)]
    return ["source", "view", *more] if named == "None" else more


def _hash_of(paths: pd.Series, values: pd.Series) -> str:
    digest = hashlib.sha256()
    for path, value in zip(paths, values, strict=True):
        digest.update(f"{path}\0{value}\n".encode())
    return digest.hexdigest()[:16]
