"""The artifacts, metrics and tags of a run in MLflow, under stable names."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
from omegaconf import OmegaConf

from cxr.compare.baseline import AgainstBaseline
from cxr.data.identity.groups import of_several
from cxr.data.manifest import data_fingerprint, write_manifest
from cxr.data.safe_csv import write_csv
from cxr.evaluation.assessment import Assessment
from cxr.evaluation.decisions import FILE as DECISIONS
from cxr.evaluation.decisions import decisions_of, write_decisions
from cxr.evaluation.figures.comparison import vs_baseline
from cxr.evaluation.figures.drawing import Drawn, pictures_of
from cxr.evaluation.figures.registry import assessment_figures
from cxr.evaluation.figures.training import TrainingCurves, training_curves
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.report.card import description
from cxr.evaluation.report.document import PROFILE, ReportContext
from cxr.evaluation.report.files import write_report
from cxr.evaluation.report.page import classification_text
from cxr.evaluation.results import TABLE, PartResults, final_metrics, write_part_results
from cxr.evaluation.saliency import Saliency
from cxr.run.prepared import PreparedRun
from cxr.text import part_in_full, slug
from cxr.tracking.environment import lock_of_code, machine, packages, uncommitted_changes
from cxr.tracking.run import Run
from cxr.tracking.stage import ASSESSED
from cxr.training.history import FrozenWork, History
from cxr.training.runtime import compute


def record_inputs(run: Run, prepared: PreparedRun, folder: Path) -> None:
    """Before training: config, manifest, images left out, environment."""
    dataset, provenance = prepared.dataset, prepared.provenance
    for name in ("config", "data", "environment"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    texts = {
        "config/config.yaml": provenance.yaml,
        "config/overrides.yaml": OmegaConf.to_yaml(OmegaConf.create(list(provenance.overrides))),
        "config/choices.yaml": OmegaConf.to_yaml(OmegaConf.create(provenance.choices)),
        "environment/packages.txt": packages(),
        "environment/machine.json": json.dumps({**machine(), **compute()}, indent=2) + "\n",
        "environment/uncommitted.diff": uncommitted_changes(),
        "environment/lock.txt": lock_of_code(),
    }
    for name, text in texts.items():
        if text:
            (folder / name).write_text(text)
    write_manifest(dataset.manifest, folder / "data/manifest.csv")
    bad = pd.DataFrame([asdict(image) for image in dataset.bad])
    for name, table in (("bad_images", bad), ("conflicts", dataset.conflicts), ("apart", dataset.excluded)):
        if len(table):
            write_csv(table, folder / f"data/{name}.csv")
    if prepared.profile:
        shutil.copyfile(prepared.profile, folder / PROFILE)
    run.log_folder(folder)
    counts = {
        "images": len(dataset.manifest),
        "by_part": {part: len(dataset.rows(part)) for part in dataset.parts},
        "by_class": dataset.manifest["label"].value_counts().sort_index().to_dict(),
        "bad_images": len(dataset.bad),
        "conflicts": len(dataset.conflicts),
        "apart": len(dataset.excluded),
        "groups_of_several": len(of_several(dataset.manifest["group"])),
    }
    run.log_dataset(prepared.config.data.name, data_fingerprint(dataset.manifest), counts)


def record_numbers(
    run: Run, results: Sequence[PartResults], assessment: Assessment, history: History, folder: Path
) -> dict[str, float]:
    """After assessment: metrics, the tables of each part, and what a user of the model needs beside it.

    Returns the final metrics by name.
    """
    write_part_results(folder, results)
    curves_of(history).to_frame().to_csv(folder / "evaluation/training_curves.csv", index=False)
    (folder / "evaluation/classification_report.txt").write_text(classification_text(results[-1].predictions))
    write_decisions(decisions_of(assessment), folder / DECISIONS)
    run.log_folder(folder)
    run.show_table(TABLE)
    # val/accuracy exists for each epoch too: written last and at the last epoch, the final is the value that MLflow shows.
    finals = final_metrics(results, assessment)
    run.log_metrics(finals, step=history.epochs[-1].number)
    run.set_tags(evaluation_tags(assessment))
    run.reached(ASSESSED)
    return finals


def evaluation_tags(assessment: Assessment) -> dict[str, str | None]:
    """What tables of runs need beside metrics: the positive class as metrics spell it, and the number of evaluated images."""
    positive = slug(assessment.triage.positive_class) if assessment.triage else None
    return {"cxr.positive_class": positive, "cxr.evaluated_images": str(assessment.images)}


@dataclass(frozen=True)
class Results:
    """All that a report is made of."""

    history: History
    evaluated: Predictions  # of the evaluated part
    assessment: Assessment
    pictures: Sequence[Callable[[], Drawn]]  # with images in them, each drawn when it is called
    saliency: Saliency | None
    against: AgainstBaseline | None = None  # none for a baseline itself
    audit_pictures: Sequence[Callable[[], Drawn]] = ()


def record_report(run: Run, context: ReportContext, results: Results, dpi: int, folder: Path) -> dict[str, float]:
    """Last: figures, report, and the difference from the baseline. Returns the metrics that the comparison adds."""
    against, assessed = results.against, assessment_figures(results.evaluated, results.assessment)
    drawn = [*assessed, *(draw() for draw in results.pictures), training_curves(curves_of(results.history))]
    drawn += [draw() for draw in results.audit_pictures]
    (folder / "evaluation").mkdir(parents=True, exist_ok=True)
    if against and against.differences:
        drawn.append(vs_baseline(against.differences, f"{run.name} minus baseline, {part_in_full(results.assessment.part)}"))
        (folder / "evaluation/vs_baseline.json").write_text(json.dumps(against.document(), indent=2) + "\n")
    document = write_report(folder, context, results.assessment, results.saliency, pictures_of(drawn, dpi))
    run.log_folder(folder)
    run.describe(description(document))
    if against is None:
        return {}
    run.set_tags({"cxr.baseline": against.baseline.id if against.baseline else against.reason})
    run.log_metrics(against.metrics(), step=results.history.epochs[-1].number)
    return against.metrics()


def record_costs(run: Run, seconds: Mapping[str, float], frozen: FrozenWork, step: int) -> None:
    """Where the time went: seconds by stage, and how many activations of the frozen part came from the cache."""
    # A resumed run has the counts of earlier processes, but not their durations.
    rate = {"frozen/images_per_second": frozen.computed / seconds["frozen"]} if frozen.computed and "frozen" in seconds else {}
    counts = {"frozen/computed": float(frozen.computed), "frozen/from_cache": float(frozen.found)}
    run.log_metrics({**{f"seconds/{name}": value for name, value in seconds.items()}, **counts, **rate}, step=step)


def record_log(run: Run, lines: Sequence[str], folder: Path) -> None:
    """The lines that the run printed, with times, as log.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    run.log_folder(folder)


def curves_of(history: History) -> TrainingCurves:
    """The metrics of each epoch, a column each."""
    return TrainingCurves(
        epochs=[epoch.number for epoch in history.epochs],
        phase_names=[epoch.phase for epoch in history.epochs],
        values={name: [epoch.metrics[name] for epoch in history.epochs] for name in history.epochs[0].metrics},
        best_epoch=history.best_epoch,
    )
