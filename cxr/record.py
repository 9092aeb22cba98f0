"""What a run leaves in MLflow: names, tags and artifacts that users build on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
from omegaconf import OmegaConf

from cxr.comparison.baseline import AgainstBaseline
from cxr.data.groups import of_several
from cxr.data.manifest import write_manifest
from cxr.evaluation.assessment import Assessment, numbers_of
from cxr.evaluation.figures.all_of_them import assessment_figures
from cxr.evaluation.figures.comparison import vs_baseline
from cxr.evaluation.figures.drawing import Drawn, pictures_of
from cxr.evaluation.figures.training import TrainingCurves, training_curves
from cxr.evaluation.heat import Heat
from cxr.evaluation.judgement import TABLE, Judgement, class_table, metrics_document, write_json
from cxr.evaluation.report.files import decisions_document, write_report
from cxr.evaluation.report.page import classification_text
from cxr.facts import facts_of
from cxr.study import Study, fingerprints
from cxr.tracking.environment import code_version, lock_of_code, machine, packages, uncommitted_changes
from cxr.tracking.run import Run
from cxr.training.history import History
from cxr.training.inputs import FrozenWork
from cxr.training.runtime import compute
from cxr.training.verify import Verified
from cxr.words import part_in_full


def run_name(study: Study) -> str:
    """A short readable name: what differs in a sweep, the preset, or what was chosen where options matter most."""
    if study.config.tracking.run_name:
        return study.config.tracking.run_name
    if study.recipe.job:
        return study.recipe.job.name
    choices = study.recipe.choices
    if choices.get("experiment", "None") != "None":
        return choices["experiment"]
    return "-".join(choices.get(group, "?") for group in ("freeze", "augment", "loss", "optimizer"))


def run_tags(study: Study) -> dict[str, str | None]:
    """The cxr.* tags of a run; what is unknown is none."""
    code = code_version()
    return fingerprints(study) | {
        "cxr.role": study.config.tracking.role,
        "cxr.judged_on": study.dataset.parts[-1],
        "cxr.weights_sha256": study.weights.sha256,
        "cxr.sweep_id": study.recipe.job.sweep_id if study.recipe.job else None,
        "cxr.reproduces": study.recipe.reproduces,
        "cxr.git_commit": code.commit,
        "cxr.git_dirty": None if code.dirty is None else str(code.dirty).lower(),
    }


def record_inputs(run: Run, study: Study, folder: Path) -> None:
    """Before training: config, manifest, images left out, environment."""
    for name in ("config", "data", "environment"):
        (folder / name).mkdir(parents=True)
    (folder / "config/config.yaml").write_text(study.recipe.yaml)
    (folder / "config/overrides.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(list(study.recipe.overrides))))
    (folder / "config/choices.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(study.recipe.choices)))
    write_manifest(study.dataset.manifest, folder / "data/manifest.csv")
    if study.dataset.bad:
        pd.DataFrame([asdict(bad) for bad in study.dataset.bad]).to_csv(folder / "data/bad_images.csv", index=False)
    if len(study.dataset.conflicts):
        study.dataset.conflicts.to_csv(folder / "data/conflicts.csv", index=False, lineterminator="\n")
    if len(study.dataset.apart):
        study.dataset.apart.to_csv(folder / "data/apart.csv", index=False, lineterminator="\n")
    (folder / "environment/packages.txt").write_text(packages())
    (folder / "environment/machine.json").write_text(json.dumps({**machine(), **compute()}, indent=2) + "\n")
    if changes := uncommitted_changes():
        (folder / "environment/uncommitted.diff").write_text(changes)
    if lock := lock_of_code():
        (folder / "environment/lock.txt").write_text(lock)
    run.log_folder(folder)
    dataset = study.dataset
    counts = {
        "images": len(dataset.manifest),
        "bad_images": len(dataset.bad),
        "conflicts": len(dataset.conflicts),
        "apart": len(dataset.apart),
        "groups": len(of_several(dataset.manifest["group"])),
    }
    run.log_metrics({f"data/{name}": count for name, count in counts.items()})


@dataclass(frozen=True)
class Results:
    """All that a run came to."""

    history: History
    judgements: Sequence[Judgement]  # the last one is the headline
    assessment: Assessment  # of the headline
    pictures: Sequence[Drawn]  # with films in them
    heat: Heat | None
    against: AgainstBaseline | None  # none for a baseline itself
    verified: Verified


def record_results(run: Run, study: Study, results: Results, folder: Path) -> dict[str, float]:
    """After evaluation: metrics, predictions, tables, figures, report and the model that is in `folder` already.

    Returns the final metrics by name.
    """
    for name in ("evaluation", "predictions"):
        (folder / name).mkdir(parents=True)
    for judgement in results.judgements:
        judgement.predictions.to_csv(folder / "predictions" / f"{judgement.part}.csv")
    headline, against = results.judgements[-1], results.against
    curves = curves_of(results.history)
    curves.to_frame().to_csv(folder / "evaluation/training_curves.csv", index=False)
    drawn = [*assessment_figures(headline.predictions, results.assessment), *results.pictures, training_curves(curves)]
    if against and against.differences:
        drawn.append(vs_baseline(against.differences, f"{run.name} minus baseline, {part_in_full(headline.part)}"))
        (folder / "evaluation/vs_baseline.json").write_text(json.dumps(against.document(), indent=2) + "\n")
    pictures = pictures_of(drawn, study.config.evaluation.figure_dpi)
    write_report(folder, facts_of(study, run, against), results.assessment, results.heat, pictures)
    (folder / "model/decisions.json").write_text(decisions_document(results.assessment))
    write_json(folder / "evaluation/metrics.json", metrics_document(results.judgements))
    write_json(folder / TABLE, class_table(headline))
    (folder / "evaluation/classification_report.txt").write_text(classification_text(headline.predictions))
    run.log_folder(folder)
    run.log_model(folder / "model/model.keras", study.config.backbone.image_size, len(study.dataset.classes))
    run.set_tags({"mlflow.loggedArtifacts": json.dumps([{"path": TABLE, "type": "table"}])})  # the UI compares it across runs
    if against:
        run.set_tags({"cxr.baseline": against.baseline.id if against.baseline else against.reason})
    # val/accuracy exists for each epoch too: written last and at the last epoch, the final is the value that MLflow shows.
    last = results.history.epochs[-1].number
    finals = {f"{each.part}/{name}": value for each in results.judgements for name, value in each.evaluation.logged.items()}
    finals |= {f"{headline.part}/{name}": value for name, value in numbers_of(results.assessment).items()}
    finals |= against.metrics() if against else {}
    more = {"train/best_epoch": float(results.history.best_epoch), "model/largest_difference": results.verified.largest}
    run.log_metrics({**finals, **more}, step=last)
    return finals


def record_costs(run: Run, seconds: Mapping[str, float], frozen: FrozenWork, step: int) -> None:
    """Where the time went: seconds by stage, and how much of the frozen part was found in the cache."""
    rate = {"frozen/images_per_second": frozen.computed / seconds["frozen"]} if frozen.computed else {}
    counts = {"frozen/computed": float(frozen.computed), "frozen/from_cache": float(frozen.found)}
    run.log_metrics({**{f"seconds/{name}": value for name, value in seconds.items()}, **counts, **rate}, step=step)


def curves_of(history: History) -> TrainingCurves:
    """The epochs as columns."""
    names = list(history.epochs[0].metrics)
    return TrainingCurves(
        epochs=[epoch.number for epoch in history.epochs],
        phase_names=[epoch.phase for epoch in history.epochs],
        values={name: [epoch.metrics[name] for epoch in history.epochs] for name in names},
        best_epoch=history.best_epoch,
    )
