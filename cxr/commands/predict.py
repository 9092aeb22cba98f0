"""`cxr predict RUN PATH...`: what the model of a run says about images without labels."""

import sys
from argparse import Namespace
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from cxr.commands.arguments import parse
from cxr.config.schema import TrainingConfig
from cxr.errors import UserError, writing
from cxr.evaluation.operating_points import Rule
from cxr.predict.answer import ZONE_DESCRIPTIONS, Answer, as_text
from cxr.predict.audit_log import AuditLog, verify
from cxr.predict.files import InputFiles, find_files
from cxr.predict.model import RunModel
from cxr.predict.output import TABLE, Output, check_output, open_output
from cxr.predict.page import write_page
from cxr.predict.read import content_hash
from cxr.predict.source import model_of
from cxr.predict.structured_report import check_highdicom, write_structured_report
from cxr.progress import Progress, plain_console, wide_console
from cxr.system import cores
from cxr.text import pluralize, printable, slug
from cxr.training.runtime import prepare_tensorflow

_SHOWN = 12  # answers in the terminal


@dataclass
class _Tally:
    """What the end of a batch tells."""

    classes: Counter[str] = field(default_factory=Counter)
    zones: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    reports: Counter[str] = field(default_factory=Counter)  # structured reports: "", or why there is none
    first: list[Answer] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(self.classes.values()) + sum(self.reasons.values())

    def add(self, answer: Answer) -> None:
        self.first += [answer] if len(self.first) < _SHOWN else []
        self.unreadable += answer.is_unreadable
        if answer.called:
            self.classes[answer.called] += 1
            self.zones[answer.zone] += 1
        else:
            self.reasons[answer.flags[0].partition(" (")[0] if answer.flags else "can't be read"] += 1


def main(arguments: list[str]) -> int:
    """Answer, write the files, and print a summary; 1 if a file could not be read."""
    asked = parse("predict", arguments)
    if asked.verify_log:
        count, last = verify(asked.verify_log)
        print(f"{asked.verify_log}: {pluralize(count, 'answer')}, each follows from the one before; the last hash is {last}")
        return 0
    if not asked.run or not asked.paths:
        raise UserError("cxr predict needs a run and what to ask it about: cxr predict RUN FILE_OR_FOLDER")
    if asked.dicom_sr:
        check_highdicom()
    folders = [folder for folder in (asked.to, asked.heatmaps, asked.dicom_sr) if folder]
    _check_apart(asked.paths, folders)
    check_output(asked.to, asked.resume)
    _make_folders_of([file for file in (asked.html, asked.log) if file])
    files = find_files(asked.paths, folders, sys.stdin)
    with model_of(asked.run) as model:
        return _answered(model, files, asked)


def _answered(model: RunModel, files: InputFiles, asked: Namespace) -> int:
    rule = model.rule(asked.point)
    point = {"name": asked.point, "in_words": rule.in_words}
    prepare_tensorflow(TrainingConfig(precision=model.facts.precision))
    from cxr.predict.predictor import Predictor  # imports Keras

    answerer = Predictor(model)
    about = {"model": model.described(), "point": point, "gate": not asked.no_gate, "engine": answerer.engine}
    with open_output(asked.to, about, asked.resume) as output:
        tally = _answer(files, answerer, rule, output, asked)
        if asked.html:
            write_page(asked.html, output.answers(), tally.count, about, model.decisions.positive_class)
        output.end(model.decisions.classes)
    _print(tally, model, asked, output)
    return 1 if tally.unreadable else 0


def _answer(files: InputFiles, answerer: Any, rule: Rule, output: Output, asked: Namespace) -> _Tally:
    """Answer what is not answered yet, or has changed since, chunk by chunk."""
    tally, progress = _Tally(), Progress()
    source = {"run": answerer.model.facts.run_id, "model_sha256": answerer.model.sha256, "point": asked.point}
    log = AuditLog(asked.log, output.batch, source, progress.line) if asked.log else None
    if log and asked.resume:
        log.complete(output.given())
    done = _answered_already(files.files, output, progress)
    for answer in output.answers():
        if answer.path in done:
            tally.add(answer)
    left = [file for file in files.files if as_text(file) not in done]

    def keep(found: list[Answer]) -> None:
        for answer in found if asked.dicom_sr else ():
            made = write_structured_report(answer, answerer.model.decisions.classes, output.about, asked.dicom_sr)
            tally.reports.update([] if made is None else [made])
        output.add(found)
        if log:
            log.append(found)
        for answer in found:
            tally.add(answer)

    folders = [Answer(each.path, "", reason=each.reason) for each in files.unreadable]
    keep([answer for answer in folders if as_text(answer.path) not in done])
    with progress.stage("predict", f"Answering {pluralize(len(left), 'file')}") as update:
        count = 0
        for chunk in answerer.of_files(left, rule, gated=not asked.no_gate):
            if asked.heatmaps:
                from cxr.predict.heat_maps import write_heat_maps  # imports Matplotlib

                write_heat_maps(asked.heatmaps, answerer, chunk)
            keep(chunk.answers)
            count += len(chunk.answers)
            update(count, len(left))
    return tally


def _answered_already(files: list[str], output: Output, progress: Progress) -> set[str]:
    """The paths, as answers hold them, whose answer is of their content of today."""
    hashes = {answer.path: answer.sha256 for answer in output.answers()}
    again = [file for file in files if as_text(file) in hashes]
    with ThreadPoolExecutor(cores()) as pool:
        now = zip(map(as_text, again), pool.map(content_hash, again), strict=True)
        changed = {path for path, sha256 in now if sha256 != hashes[path]}
    if changed:
        progress.line(f"{pluralize(len(changed), 'file')} changed since the batch was interrupted: answered again")
    return hashes.keys() - changed


def _check_apart(paths: list[str], folders: list[Path]) -> None:
    """Raise `UserError` where output would be written among the images themselves."""
    for folder in folders:
        if any(Path(path).is_dir() and Path(path).resolve() == folder.resolve() for path in paths):
            raise UserError(f"{folder} is the folder of the images: name another one for what is written")


def _make_folders_of(files: list[Path]) -> None:
    """Raise `UserError` for a file that could not be written at the end."""
    for file in files:
        with writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_dir():
            raise UserError(f"{file} is a folder: name a file")


def _print(tally: _Tally, model: RunModel, asked: Namespace, output: Output) -> None:
    console, wide = plain_console(), wide_console()
    if tally.count <= _SHOWN:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False)
        for heading in ("file", "class", "p", "read", "could be"):
            table.add_column(heading)
        for each in tally.first:
            told, p = (each.called, f"{each.calibrated[slug(each.called)]:.3f}") if each.called else (each.reason, "")
            table.add_row(printable(each.path), printable(told), p, ZONE_DESCRIPTIONS[each.zone], ", ".join(each.conformal_set))
        wide.print(table)
    console.print(f"  {pluralize(tally.count, 'file')} by {model.name} at {asked.point}: {_counts(tally.classes)}")
    if model.decisions.positive_class is not None:
        console.print(
            f"  Zones: {', '.join(f'{ZONE_DESCRIPTIONS[name]} {tally.zones[name]:,}' for name in ZONE_DESCRIPTIONS if name)}"
        )
    if model.unchecked:
        console.print(f"  This model does not notice {' and '.join(model.unchecked)}: they are answered like others")
    if tally.reasons:
        console.print(f"  Not answered: {_counts(tally.reasons)}")
    if asked.dicom_sr:
        lacking = "".join(f"; {number:,} without: {why}" for why, number in tally.reports.items() if why)
        console.print(f"  Structured reports in {asked.dicom_sr}: {tally.reports['']:,}{lacking}")
    console.print(f"  All answers: {output.folder / TABLE}; research use only, no diagnosis")


def _counts(counted: Counter[str]) -> str:
    return ", ".join(f"{printable(name)} {number:,}" for name, number in counted.most_common()) or "none"
