"""`cxr predict RUN PATH...`: answers of a run's model for images without labels."""

import sys
from argparse import Namespace
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from cxr.commands.arguments import parse
from cxr.commands.output import check_files, check_folders
from cxr.config.schema import TrainingConfig
from cxr.errors import UserError, writing
from cxr.evaluation.operating_points import Rule
from cxr.predict.answer import ZONE_DESCRIPTIONS, Answer, as_text
from cxr.predict.audit_log import AuditLog, verify
from cxr.predict.files import find_files
from cxr.predict.model import RunModel, model_of
from cxr.predict.output import TABLE, Output, check_output, folders_of_batches, open_output
from cxr.predict.page import write_page
from cxr.predict.read import content_hash
from cxr.predict.structured_report import check_highdicom, write_structured_report
from cxr.progress import Progress, plain_console, wide_console
from cxr.system import cores
from cxr.text import pluralize, printable, slug
from cxr.training.runtime import prepare_tensorflow

_SHOWN = 12  # answers in the terminal
_UNREADABLE = "can't be read"


def main(arguments: list[str]) -> int:
    """Answer, write the files, and print a summary; 1 if a file could not be read.

    Raises:
        UserError: The run or the files are missing.
    """
    args = parse("predict", arguments)
    if args.verify_log:
        count, last = verify(args.verify_log)
        print(f"{args.verify_log}: {pluralize(count, 'answer')}, each follows from the one before; the last hash is {last}")
        return 0
    if not args.run or not args.paths:
        raise UserError("cxr predict needs a run and what to ask it about: cxr predict RUN FILE_OR_FOLDER")
    if args.dicom_sr:
        check_highdicom()
    earlier = [] if args.to else folders_of_batches()  # their answers stay
    args.to = args.to or earlier[-1]
    folders = [folder for folder in (args.to, args.heatmaps, args.dicom_sr) if folder]
    check_output(args.to, args.resume)
    _check_places(args.paths, folders, [file for file in (args.html, args.log) if file])
    folders += earlier
    files, unreadable = find_files(args.paths, folders, sys.stdin, args.column)
    with model_of(args.run) as model:
        return _predict(model, files, unreadable, args)


def _predict(model: RunModel, files: list[str], unreadable: list[Answer], args: Namespace) -> int:
    rule = model.rule(args.point)
    point = {"name": args.point, "in_words": rule.in_words}
    prepare_tensorflow(TrainingConfig(precision=model.facts.precision))
    from cxr.predict.predictor import Predictor  # imports Keras

    predictor = Predictor(model)
    about = {"model": model.described(), "point": point, "gate": not args.no_gate, "engine": predictor.engine}
    with open_output(args.to, about, args.resume) as output:
        reports = _answer(files, unreadable, predictor, rule, output, args)
        counts, first = Counter[tuple[str, str, str]](), list[Answer]()
        for answer in output.answers():
            counts[_outcome(answer)] += 1
            first += [answer] if len(first) < _SHOWN else []
        if args.html:
            write_page(args.html, output.answers(), counts.total(), about, model.decisions.positive_class)
        output.end(model.decisions.classes)
    _print(counts, first, model, reports, args)
    return 1 if any(reason == _UNREADABLE for _, _, reason in counts) else 0


def _answer(
    files: list[str], unreadable: list[Answer], predictor: Any, rule: Rule, output: Output, args: Namespace
) -> Counter[str]:
    """Answer what is not answered yet, or has changed since, chunk by chunk; counts reports by why they are missing."""
    reports, progress = Counter[str](), Progress()
    source = {"run": predictor.model.facts.run_id, "model_sha256": predictor.model.sha256, "point": args.point}
    log = AuditLog(args.log, output.batch, source, progress.line) if args.log else None
    if log and args.resume:
        log.complete(output.given())

    def store(answers: list[Answer]) -> None:
        for answer in answers if args.dicom_sr else ():
            why_not = write_structured_report(answer, predictor.model.decisions.classes, output.about, args.dicom_sr)
            reports.update([] if why_not is None else [why_not])
        output.add(answers)
        if log:
            log.append(answers)

    done = _answered_already(files, output, progress)
    left = [file for file in files if as_text(file) not in done]
    store([answer for answer in unreadable if as_text(answer.path) not in done])
    with progress.stage("predict", f"Answering {pluralize(len(left), 'file')}") as update:
        count = 0
        for answers, images in predictor.of_files(left, rule, gated=not args.no_gate):
            if args.heatmaps:
                from cxr.predict.heat_maps import write_heat_maps  # imports Matplotlib

                write_heat_maps(args.heatmaps, predictor, answers, images)
            store(answers)
            count += len(answers)
            update(count, len(left))
    return reports


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


def _check_places(paths: list[str], folders: list[Path], files: list[Path]) -> None:
    """Raise `UserError` for a folder of output that is one of the images, and for a file that could not be written at the end."""
    images = {Path(path).resolve() for path in paths if Path(path).is_dir()}
    for folder in folders:
        if folder.resolve() in images:
            raise UserError(f"{folder} is the folder of the images: name another one for what is written")
    check_folders(*folders)
    for file in files:
        with writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
    check_files(*files)


def _outcome(answer: Answer) -> tuple[str, str, str]:
    """The class and zone of an answer, and why it has none."""
    if answer.called:
        return answer.called, answer.zone, ""
    return "", "", answer.flags[0].partition(" (")[0] if answer.flags else _UNREADABLE


def _print(
    counts: Counter[tuple[str, str, str]], first: list[Answer], model: RunModel, reports: Counter[str], args: Namespace
) -> None:
    console, wide = plain_console(), wide_console()
    if counts.total() <= _SHOWN:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False)
        for heading in ("file", "class", "p", "read", "could be"):
            table.add_column(heading)
        for answer in first:
            p = f"{answer.calibrated[slug(answer.called)]:.3f}" if answer.called else ""
            zone, could_be = ZONE_DESCRIPTIONS[answer.zone], ", ".join(answer.conformal_set)
            table.add_row(printable(answer.path), printable(answer.called or answer.reason), p, zone, could_be)
        wide.print(table)
    classes, zones, reasons = Counter[str](), Counter[str](), Counter[str]()
    for (called, zone, reason), count in counts.items():
        for counter, name in ((classes, called), (zones, zone), (reasons, reason)):
            counter.update({name: count} if name else {})
    console.print(f"  {pluralize(counts.total(), 'file')} by {model.name} at {args.point}: {_text_of(classes)}")
    if model.decisions.positive_class is not None:
        described = (f"{description} {zones[name]:,}" for name, description in ZONE_DESCRIPTIONS.items() if name)
        console.print(f"  Zones: {', '.join(described)}")
    if model.unchecked:
        console.print(f"  This model does not notice {', '.join(model.unchecked)}: they are answered like others")
    if reasons:
        console.print(f"  Not answered: {_text_of(reasons)}")
    if args.dicom_sr:
        lacking = "".join(f"; {number:,} without: {why}" for why, number in reports.items() if why)
        console.print(f"  Structured reports in {args.dicom_sr}: {reports['']:,}{lacking}")
    console.print(f"  All answers: {args.to / TABLE}; research use only, no diagnosis")


def _text_of(counts: Counter[str]) -> str:
    return ", ".join(f"{printable(name)} {number:,}" for name, number in counts.most_common()) or "none"
