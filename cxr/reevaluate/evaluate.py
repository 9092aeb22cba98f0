"""An evaluation of a logged run, logged as a run of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pandas as pd
from omegaconf import OmegaConf

from cxr.compare.runs import name_with_id, predictions_of
from cxr.config.fields import flat_params
from cxr.config.schema import Config
from cxr.data.manifest import data_fingerprint, more_columns, split_fingerprint, write_manifest
from cxr.data.safe_csv import write_csv
from cxr.errors import UserError
from cxr.evaluation.assessment import Assessment, Evidence, assess, check_evaluation, subgroup_columns
from cxr.evaluation.figures.drawing import ImagePicture, Picture, pictures_of
from cxr.evaluation.figures.registry import assessment_figures
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.report.card import description
from cxr.evaluation.report.document import Caption, Document, ReportContext, from_json
from cxr.evaluation.report.files import DOCUMENT, FIGURES, write_report
from cxr.evaluation.results import TABLE, final_metrics, results_of, write_part_results
from cxr.evaluation.saliency import Saliency
from cxr.progress import Progress
from cxr.reevaluate.against_own import against_own
from cxr.reevaluate.other_data import OtherData
from cxr.run.fit.stored_training import kept_gate
from cxr.run.identity.logged import Logged
from cxr.run.origin import MODEL
from cxr.run.report.artifacts import evaluation_tags
from cxr.run.report.context import data_caveats, day_of, describe_code
from cxr.tracking.environment import code_tags
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.run import open_run
from cxr.tracking.scratch import scratch
from cxr.tracking.store import Store
from cxr.training.runtime import prepare_tensorflow

OTHER = "external"  # the part that other data is, in names of files and metrics
UNKNOWN = "external_unknown_classes.csv"  # predictions of images of classes that the model does not know
_WITH_IMAGES = ("audit_flips", "grad_cam", "heat_by_class", "failures")
_KEPT = (*_WITH_IMAGES, "training_curves", "vs_baseline")  # figures that no target changes


@dataclass(frozen=True)
class Evaluated:
    """An evaluation that is in the store."""

    run_id: str
    name: str
    assessment: Assessment


def evaluate_again(
    logged: Logged, config: Config, overrides: list[str], store: Store, progress: Progress, other_views: bool
) -> Evaluated:
    """Assess the run's own predictions with the targets and costs of `config`; needs no TensorFlow and no images.

    With `other_views` the saved model predicts them again, over `evaluation.views` views of the images.
    """
    run, document = logged.run, read_document(logged.run)
    if other_views:
        prepare_tensorflow(replace(config.training, threads=None))  # of this machine, not of the one that trained
        from cxr.reevaluate.score import predict_views  # imports Keras

        results = predict_views(logged, config, run.file(MODEL), progress)
    else:
        results = predictions_of(run)
    part = "test" if "test" in results else "val"
    evaluated = results[part]
    check_evaluation(config.evaluation, evaluated.classes, more_columns(logged.manifest))
    with progress.stage("report", "Assessing the logged predictions"):
        evidence = evidence_of(logged, config, results["val"], evaluated, part, rows_of(logged, evaluated))
        assessment = assess(evidence, config.evaluation)
    pictures = [
        _read_picture(run, figure)
        for figure in document.figures
        if figure.name in _KEPT
        and (config.evaluation.pictures or figure.name not in _WITH_IMAGES)
        and (figure.name != "failures" or assessment.failures == document.assessment.failures)
    ]
    made_from = f"{config.evaluation.views} views of each image" if other_views else "its logged predictions"
    context = _context(document, config, overrides, f"{name_with_id(run)}, from {made_from}")
    tags = {name: run.tags.get(name) for name in ("cxr.data_fingerprint", "cxr.split_fingerprint")}
    saliency = document.saliency if config.evaluation.pictures else None
    made = _Made(f"{run.name}-evaluated", evidence, assessment, saliency, pictures, context, logged.manifest, tags)
    return _log(store, config, run, made, progress)


def evaluate_other_data(
    logged: Logged, config: Config, overrides: list[str], data: OtherData, store: Store, progress: Progress
) -> Evaluated:
    """Assess the saved model's predictions of other data, with thresholds and temperature of the run's own validation images."""
    run, document, rows, classes = logged.run, read_document(logged.run), data.manifest, model_classes(logged.run)
    prepare_tensorflow(replace(config.training, threads=None))  # of this machine, not of the one that trained
    from cxr.reevaluate.score import score  # imports Keras

    scored = score(data, classes, config, run.file(MODEL), kept_gate(run), progress)
    with progress.stage("report", "Assessing predictions"):
        known = rows[rows["label"].isin(classes)]
        evidence = evidence_of(logged, config, predictions_of(run)["val"], scored.predictions, OTHER, known)
        evidence = replace(evidence, unknown=scored.unknown)
        assessment = assess(evidence, config.evaluation)
        elsewhere = against_own(run, document.assessment, assessment, config.evaluation, scored)
        drawn, saliency = scored.explain(assessment.failures) if config.evaluation.pictures else ([], None)
    context = replace(
        _context(document, config, overrides, f"{name_with_id(run)}, its saved model on other data"),
        other_data=data.context,
        overlap=data.overlap,
        caveats=[*(f"Of what the model learned from: {caveat}" for caveat in document.context.caveats), *data_caveats(config)],
        baseline=None,
        no_baseline="the baseline was not scored on this data: cxr evaluate BASELINE with the same data does that.",
        differences=[],
        elsewhere=elsewhere,
    )
    tags: dict[str, str | None] = {"cxr.data_fingerprint": data_fingerprint(rows), "cxr.split_fingerprint": split_fingerprint(rows)}
    pictures = pictures_of((draw() for draw in drawn), config.evaluation.figure_dpi)
    made = _Made(f"{run.name}-on-{config.data.name}", evidence, assessment, saliency, pictures, context, rows, tags, data.shared)
    return _log(store, config, run, made, progress)


def evidence_of(
    logged: Logged, config: Config, validation: Predictions, evaluated: Predictions, part: str, rows: pd.DataFrame
) -> Evidence:
    """Predictions with groups and subgroups of their images.

    Args:
        rows: the manifest's rows of the evaluated images, in order.
    """
    own, columns = rows_of(logged, validation), rows[subgroup_columns(config, rows)]
    known = own[[name for name in columns if name in own]]
    return Evidence(validation, evaluated, part, list(rows["group"]), columns, list(own["group"]), validation_columns=known)


def _read_picture(run: LoggedRun, caption: Caption) -> Picture:
    """A figure that a run logged; raises `UserError` if its file is not there. Those of earlier versions have no SVG or parts."""
    svg = f"{FIGURES}/{caption.name}.svg"
    films = [ImagePicture(run.file(f"{FIGURES}/{film.file}").read_bytes(), film.caption, film.alt) for film in caption.films]
    return Picture(
        caption.name,
        caption.section,
        run.file(f"{FIGURES}/{caption.name}.png").read_bytes(),
        caption.caption,
        caption.alt,
        run.file(svg).read_bytes() if run.has_file(svg) else b"",
        films,
    )


def _context(document: Document, config: Config, overrides: list[str], evaluated: str) -> ReportContext:
    """The context of the run, with what is different in its evaluation."""
    model = replace(document.context.model, settings=flat_params(config))
    own, code = document.context, describe_code()
    return replace(own, evaluated=evaluated, asked=overrides, evaluated_by=code, role="evaluation", model=model)


def model_classes(run: LoggedRun) -> tuple[str, ...]:
    """The classes of a run's model, in its order."""
    return predictions_of(run)["val"].classes


def rows_of(logged: Logged, evaluated: Predictions) -> pd.DataFrame:
    """The manifest's rows of the evaluated images, in their order.

    Raises:
        UserError: The manifest lacks one.
    """
    rows = logged.manifest.set_index("path", drop=False)
    if missing := set(evaluated.ids) - set(rows.index):
        raise UserError(f"the manifest of run {name_with_id(logged.run)} has no row for {min(missing)}, which it predicted")
    return rows.loc[list(evaluated.ids)].reset_index(drop=True)


def read_document(run: LoggedRun) -> Document:
    """The report that a run logged.

    Raises:
        UserError: It has none, or one of an unknown version.
    """
    try:
        return from_json(run.file(DOCUMENT).read_text(encoding="utf-8"))
    except ValueError as error:
        first = str(error).splitlines()[0]
        raise UserError(
            f"the report of {name_with_id(run)} can't be read ({first}): cxr reproduce {run.short_id} makes a new one"
        ) from None


@dataclass(frozen=True)
class _Made:
    """The results of an evaluation: `pictures` beside those that follow from predictions, `shared` images that the run has seen."""

    name: str
    evidence: Evidence
    assessment: Assessment
    saliency: Saliency | None
    pictures: Sequence[Picture]
    context: ReportContext
    manifest: pd.DataFrame
    tags: dict[str, str | None]
    shared: pd.DataFrame = field(default_factory=pd.DataFrame)


def _log(store: Store, config: Config, source: LoggedRun, made: _Made, progress: Progress) -> Evaluated:
    evidence, assessment = made.evidence, made.assessment
    results = results_of(evidence, assessment, config.evaluation)
    tags = made.tags | {
        "cxr.role": "evaluation",
        "cxr.evaluates": source.id,
        "mlflow.parentRunId": source.id,
        "cxr.judged_on": evidence.part,
        **code_tags(),
    }
    config = replace(config, tracking=replace(config.tracking, run_name=made.name))
    with (
        progress.stage("log", "Writing and logging the report"),
        open_run(store, config, made.name, tags) as run,
        scratch() as folder,
    ):
        for name in ("data", "config", "predictions"):
            (folder / name).mkdir()
        (folder / "config/config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.structured(config)))
        write_part_results(folder, results)
        for part in results:
            part.predictions.to_csv(folder / "predictions" / f"{part.part}.csv")
        if evidence.unknown and evidence.unknown.ids:
            evidence.unknown.to_csv(folder / "predictions" / UNKNOWN)
        write_manifest(made.manifest, folder / "data/manifest.csv")
        if len(made.shared):
            write_csv(made.shared, folder / "data/overlap.csv")
        drawn = pictures_of(assessment_figures(evidence.evaluated, assessment), config.evaluation.figure_dpi)
        title = f"cxr evaluation {made.name}"
        context = replace(made.context, title=title, run_id=run.id, name=made.name, started=day_of(run), user=run.user)
        document = write_report(folder, context, assessment, made.saliency, [*drawn, *made.pictures])
        run.log_folder(folder)
        run.describe(description(document))
        run.set_tags(evaluation_tags(assessment))
        run.show_table(TABLE)
        run.log_metrics(final_metrics(results, assessment))
    return Evaluated(run.id, made.name, assessment)
