"""What is left of a run to make: the earlier run that has some of it, the stages that it lacks, and why."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from shutil import copyfile

from cxr.compare.baseline import baselines_like
from cxr.errors import UserError
from cxr.run.prepared import PreparedRun
from cxr.stages.basis import Basis, Inputs, is_audited
from cxr.stages.record import Files, Kind, Reason, Record, differences, file_of, tag_of, to_make, written_by
from cxr.stages.table import File, Stage
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.run import Run
from cxr.tracking.search import CHANGED, filtered_runs, finished_runs

ALWAYS = (Stage.DECODE, Stage.TRAIN, Stage.GATE, Stage.PREDICT, Stage.ASSESS)
BY_NETWORK = (Stage.GATE, Stage.PREDICT)  # made together, by the network that training left
_ADDS = {Kind.MISSING, Kind.LOST, Kind.EARLIER}
_OF_COMMAND = ("tracking.", "work.", "force")  # settings that are a command's, and not its run's
_LOOKED_AT = 30  # earlier runs, the latest first, among which the one most like a new run is looked for


@dataclass(frozen=True)
class Remaining:
    """The stages that have to run, with the reasons.

    `run` is resumed, completed or, with no stage left, the result; the training of `source` is copied into a new run.
    """

    stages: Mapping[Stage, Sequence[Reason]]
    run: LoggedRun | None = None
    source: LoggedRun | None = None
    like: LoggedRun | None = None  # the earlier run that reasons compare with, where nothing of it is used

    @property
    def is_nothing(self) -> bool:
        """Whether an earlier run has all of it."""
        return not self.stages

    @property
    def trained(self) -> LoggedRun | None:
        """The run whose training is used."""
        return None if Stage.TRAIN in self.stages else self.run or self.source


def wanted_stages(prepared: PreparedRun, with_audit: bool = False) -> list[Stage]:
    """The stages that the run is to have, in their order; `with_audit` also an audit that it may have anyway."""
    has_report = prepared.provenance.job is None or prepared.config.sweep.reports == "all"  # a job of a sweep may have none
    extra = {Stage.AUDIT: with_audit or is_audited(prepared.inputs.params), Stage.REPORT: has_report}
    return [*ALWAYS, *(stage for stage, wanted in extra.items() if wanted)]


def remaining(prepared: PreparedRun, unfinished: LoggedRun | None = None, alone: bool = True) -> Remaining:
    """What is left to make of a run. The store has to be open.

    `unfinished` is the run of an attempt that was cut off. A finished run is changed where it gains what it lacks, or where no
    other sweep shows it; else its training is copied. With `alone=False` another process may be changing it, so nobody does.
    """
    wanted, job, inputs = wanted_stages(prepared), prepared.provenance.job, inputs_in_store(prepared)
    if prepared.config.force:
        return Remaining(dict.fromkeys(wanted, (Reason(Kind.FORCED),)), unfinished)
    adds, changes, copies = list[Remaining](), list[Remaining](), list[Remaining]()
    for run in _alike(prepared):
        if run.lacks_artifacts:
            continue
        left = lacking(run, wanted, inputs)
        if not left:
            return Remaining({}, run)
        if Stage.TRAIN in left:
            continue
        sweeps = set(run.tags.get("cxr.sweep_id", "").split())
        kinds = {reason.kind for reasons in left.values() for reason in reasons}
        mine = sweeps <= ({job.sweep_id} if job else set()) and (job is None or Kind.SETTING not in kinds)
        if alone and (kinds <= _ADDS or mine) and not _has_stale_audit(run, inputs):
            if run.tags.get(tag_of(Stage.REPORT)) and Stage.REPORT not in wanted and set(left) - {Stage.DECODE}:
                # It would show what was before.
                left.setdefault(Stage.REPORT, [Reason(Kind.EARLIER)])
            (adds if kinds <= _ADDS else changes).append(Remaining(left, run))
        copies.append(Remaining(lacking(run, wanted, inputs, copied=True), source=run))
    if unfinished:
        return Remaining(lacking(unfinished, wanted, inputs), unfinished)
    return next(iter([*adds, *changes, *copies]), None) or _new(prepared, wanted)


def inputs_in_store(prepared: PreparedRun) -> Inputs:
    """What the results of a run rest on, with the baseline that its report compares with. The store has to be open."""
    is_baseline = prepared.config.tracking.role == "baseline"
    tags = prepared.fingerprints | {"cxr.judged_on": prepared.dataset.parts[-1]}
    baselines = [] if is_baseline else baselines_like(tags)
    return replace(prepared.inputs, files={**prepared.inputs.files, File.BASELINE: baselines[0].id if baselines else ""})


def _has_stale_audit(run: LoggedRun, inputs: Inputs) -> bool:
    """Whether a run has an audit that this config does not ask for, and that would come out otherwise now."""
    record = records_of(run, [Stage.AUDIT]).get(Stage.AUDIT)
    if record is None or is_audited(inputs.params):
        return False
    as_audited = replace(inputs, params={**inputs.params, **record.basis.settings})
    return as_audited.bases[Stage.AUDIT].fingerprint != record.basis.fingerprint


def lacking(run: LoggedRun, wanted: Sequence[Stage], inputs: Inputs, copied: bool = False) -> dict[Stage, list[Reason]]:
    """The stages that a run lacks; of one that is `copied` only what training and prediction wrote is used."""
    if not run.tags.get(tag_of(Stage.TRAIN)) and run.holds_training:
        return {stage: [Reason(Kind.OLDER)] for stage in wanted}
    records = records_of(run, wanted)
    audit = records[Stage.AUDIT].basis.fingerprint if Stage.AUDIT in records else run.tags.get(tag_of(Stage.AUDIT), "")
    left = to_make(records, wanted, inputs.bases_beside(audit), lambda record: run.lost_files(record.files))
    if copied:
        left |= {stage: [Reason(Kind.COPIED)] for stage in wanted if stage not in (Stage.TRAIN, *BY_NETWORK, *left)}
    return left


def records_of(run: LoggedRun, stages: Sequence[Stage]) -> dict[Stage, Record]:
    """The records of a run; one that is gone or damaged is left out, since the results of its stage can be made again."""
    records = {}
    for stage in stages:
        if run.tags.get(tag_of(stage)) and run.has_file(file_of(stage)):
            try:
                records[stage] = Record.from_json(run.file(file_of(stage)).read_text(encoding="utf-8"))
            except (ValueError, UserError):
                continue
    return records


@dataclass
class Recorder:
    """Writes down that a stage of an open run is done: its record, then its fingerprint as a tag."""

    run: Run
    inputs: Inputs
    records: dict[Stage, Record] = field(default_factory=dict)  # of the run so far

    def begin(self, stages: Sequence[Stage]) -> None:
        """Before stages run again: a run that is cut off then lacks them."""
        self.run.set_tags({tag_of(stage): "" for stage in stages if stage in self.records})

    def basis(self, stage: Stage) -> Basis:
        """What a stage of this run rests on, beside the audit that it has."""
        audit = self.records.get(Stage.AUDIT)
        return self.inputs.bases_beside(audit.basis.fingerprint if audit else "")[stage]

    def done(self, stage: Stage) -> None:
        """After the last of its files was logged. Files that were not logged again stay as they were recorded."""
        before, basis = self.records.get(stage), self.basis(stage)
        kept: Files = before.files if before and before.basis == basis else {}
        self.records[stage] = Record(basis, {**kept, **written_by(stage, self.run.files)})
        record_stage(self.run, stage, self.records[stage])


def record_stage(run: Run, stage: Stage, record: Record) -> None:
    """Log the record of a stage and its fingerprint."""
    run.log_text(record.to_json(), file_of(stage))
    run.set_tags({tag_of(stage): record.basis.fingerprint})


def copy_files(run: LoggedRun, stages: Sequence[Stage], folder: Path) -> None:
    """Copy what stages of a run wrote into a folder, under the same names."""
    for record in records_of(run, stages).values():
        for name in record.files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            copyfile(run.file(name), folder / name)


def changed_settings(run: LoggedRun, params: Mapping[str, str]) -> dict[str, str]:
    """Tags of the settings whose values differ from the run's params: a store takes a param once."""
    return {
        f"{CHANGED}{key}": value
        for key, value in params.items()
        if key in run.params and run.params[key] != value and not key.startswith(_OF_COMMAND)
    }


def _alike(prepared: PreparedRun) -> list[LoggedRun]:
    """Finished runs with this training, the latest first."""
    tracking, trained = prepared.config.tracking, prepared.inputs.bases[Stage.TRAIN].fingerprint
    return finished_runs({tag_of(Stage.TRAIN): trained, "cxr.role": tracking.role}, tracking.experiment)


def _new(prepared: PreparedRun, wanted: Sequence[Stage]) -> Remaining:
    """A run of its own, and how it differs from the earlier run that is most like it."""
    tracking = prepared.config.tracking
    runs = filtered_runs(f"tags.`cxr.role` = '{tracking.role}'", tracking.experiment)
    compared: list[tuple[int, int, list[Reason], LoggedRun]] = []
    for run in islice((run for run in runs if run.is_finished), _LOOKED_AT):
        wanted_basis, fingerprint = prepared.inputs.bases[Stage.TRAIN], run.tags.get(tag_of(Stage.TRAIN))
        if basis := _basis_of(run):
            reasons = differences(basis, wanted_basis) or lacking(run, [Stage.TRAIN], prepared.inputs).get(Stage.TRAIN, [])
            compared.append((len(reasons), len(compared), reasons, run))
        elif run.lacks_artifacts and fingerprint == wanted_basis.fingerprint:
            compared.append((1, len(compared), [Reason(Kind.LOST, "the folder of artifacts")], run))
        elif not fingerprint and _same_question(run, prepared):
            compared.append((1, len(compared), [Reason(Kind.OLDER)], run))
    if not compared:
        return Remaining(dict.fromkeys(wanted, (Reason(Kind.NEW),)))
    _, _, reasons, like = min(compared, key=lambda item: item[:2])
    return Remaining({stage: reasons if stage == Stage.TRAIN else [Reason(Kind.NEW)] for stage in wanted}, like=like)


_known: dict[tuple[str, str], Basis] = {}  # by run and fingerprint: a sweep asks the same of the same runs for each of its jobs


def _basis_of(run: LoggedRun) -> Basis | None:
    """What the training of a run rests on; None where it kept no record, or one that can't be read: nothing of it is used."""
    key = run.id, run.tags.get(tag_of(Stage.TRAIN), "")
    if key not in _known:
        with suppress(UserError):  # the folder is gone, or can't be read
            if record := records_of(run, [Stage.TRAIN]).get(Stage.TRAIN):
                _known[key] = record.basis
    return _known.get(key)


def _same_question(run: LoggedRun, prepared: PreparedRun) -> bool:
    """Whether a run that kept no records had this config, these images and this split, as far as it logged them."""
    known = prepared.fingerprints
    same = all(run.tags.get(tag) == known[tag] for tag in ("cxr.data_fingerprint", "cxr.split_fingerprint"))
    read = prepared.inputs.bases[Stage.TRAIN].settings
    return same and all(run.params.get(key, value) == value for key, value in read.items())
