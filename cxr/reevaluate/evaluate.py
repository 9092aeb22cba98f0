"""An evaluation of a logged run, logged as a run of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import pandas as pd
from omegaconf import OmegaConf

from cxr.compare.runs import name_with_id, predictions_of
from cxr.config.fields import flat_params
from cxr.config.schema import Config
from cxr.data.manifest import data_fingerprint, split_fingerprint, write_manifest
from cxr.data.safe_csv import write_csv
from cxr.errors import UserError
from cxr.evaluation.assessment import Assessment, Evidence, assess, check_evaluation, subgroup_columns
from cxr.evaluation.estimates import Estimate
from cxr.evaluation.failures import Failure
from cxr.evaluation.figures.drawing import Drawn, ImagePicture, Picture, pictures_of
from cxr.evaluation.figures.registry import assessment_figures
from cxr.evaluation.metric_table import by_class, overall
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.report.description import description
from cxr.evaluation.report.document import Caption, Document, MetricShift, OtherDataResult, ReportContext, from_json
from cxr.evaluation.report.files import DOCUMENT, FIGURES, write_report
from cxr.evaluation.results import TABLE, final_metrics, results_of, write_part_results
from cxr.evaluation.saliency import Saliency
from cxr.evaluation.shift import Sample, shift_of
from cxr.evaluation.unpaired import unpaired_difference
from cxr.progress import Progress
from cxr.reevaluate.other_data import OtherData
from cxr.run.artifacts import evaluation_tags
from cxr.run.features import read_sample
from cxr.run.logged import Logged
from cxr.run.report_context import data_caveats, day_of, describe_code
from cxr.text import part_in_full, slug
from cxr.tracking.environment import code_tags
from cxr.tracking.run import open_run
from cxr.tracking.scratch import scratch
from cxr.tracking.search import LoggedRun
from cxr.tracking.store import Store


class Scored(Protocol):
    """Predictions of a saved model for other data; cxr.reevaluate.score makes them, with TensorFlow."""

    @property
    def data(self) -> OtherData:
        """What was read."""

    @property
    def predictions(self) -> Predictions:
        """In the order of its manifest."""

    @property
    def sample(self) -> Sample:
        """Some of the images, with their pooled features."""

    @property
    def passed(self) -> Estimate | None:
        """The share of these that passes the gate of the model; None: it has none."""

    def explain(self, found: Sequence[Failure], config: Config) -> tuple[list[Callable[[], Drawn]], Saliency]:
        """Figures with images in them, drawn when they are called, and saliency."""


OTHER = "external"  # the part that other data is, in names of files and metrics
_OF_FILMS = ("audit_flips", "grad_cam", "heat_by_class", "failures")
_KEPT = (*_OF_FILMS, "training_curves", "vs_baseline")  # figures that no target changes


@dataclass(frozen=True)
class Evaluated:
    """An evaluation that is in the store."""

    run_id: str
    name: str
    assessment: Assessment


def evaluate_again(
    logged: Logged,
    config: Config,
    asked: list[str],
    store: Store,
    progress: Progress,
    predictions: dict[str, Predictions] | None = None,
) -> Evaluated:
    """Assess the run's own predictions with the targets and costs of `config`; needs no TensorFlow and no images.

    With `predictions` by part those are assessed in place of the logged ones.
    """
    run, document = logged.run, read_document(logged.run)
    results = predictions or predictions_of(run)
    part = "test" if "test" in results else "val"
    evaluated = results[part]
    check_evaluation(config.evaluation, evaluated.classes, config.data.columns.more)
    rows = rows_of(logged, evaluated)
    with progress.stage("report", "Assessing the logged predictions"):
        of_validation = list(rows_of(logged, results["val"])["group"])
        evidence = Evidence(results["val"], evaluated, part, list(rows["group"]), rows[subgroup_columns(config)], of_validation)
        found = assess(evidence, config.evaluation)
    with_films = config.evaluation.pictures
    kept = [
        _read_picture(run, each)
        for each in document.figures
        if each.name in _KEPT
        and (with_films or each.name not in _OF_FILMS)
        and (each.name != "failures" or found.failures == document.assessment.failures)
    ]
    made_from = "its logged predictions" if predictions is None else f"{config.evaluation.views} views of each image"
    context = _context(document, config, asked, f"{name_with_id(run)}, from {made_from}")
    tags = {name: run.tags.get(name) for name in ("cxr.data_fingerprint", "cxr.split_fingerprint")}
    saliency = document.saliency if with_films else None
    made = _Made(f"{run.name}-evaluated", evidence, found, saliency, kept, context, logged.manifest, tags)
    with progress.stage("log", "Writing and logging the report"):
        return _log(store, config, run, made)


def evaluate_other_data(
    logged: Logged, config: Config, asked: list[str], scored: Scored, store: Store, progress: Progress
) -> Evaluated:
    """Assess the saved model's predictions of other data, with thresholds and temperature of the run's own validation images."""
    run, document = logged.run, read_document(logged.run)
    data, rows = scored.data, scored.data.manifest
    with progress.stage("report", "Assessing predictions"):
        validation, columns = predictions_of(run)["val"], rows[subgroup_columns(config)]
        of_validation = list(rows_of(logged, validation)["group"])
        evidence = Evidence(validation, scored.predictions, OTHER, list(rows["group"]), columns, of_validation)
        found = assess(evidence, config.evaluation)
        elsewhere = _elsewhere(run, document, found, scored.sample, scored.passed)
        drawn, saliency = scored.explain(found.failures, config) if config.evaluation.pictures else ([], None)
    context = replace(
        _context(document, config, asked, f"{name_with_id(run)}, its saved model on other data"),
        other_data=data.context,
        overlap=data.overlap,
        caveats=[*(f"Of what the model learned from: {each}" for each in document.context.caveats), *data_caveats(config)],
        baseline=None,
        no_baseline="the baseline was not scored on this data: cxr evaluate BASELINE with the same data does that.",
        differences=[],
        elsewhere=elsewhere,
    )
    tags: dict[str, str | None] = {"cxr.data_fingerprint": data_fingerprint(rows), "cxr.split_fingerprint": split_fingerprint(rows)}
    pictures = pictures_of((draw() for draw in drawn), config.evaluation.figure_dpi)
    made = _Made(f"{run.name}-on-{config.data.name}", evidence, found, saliency, pictures, context, rows, tags, data.shared)
    with progress.stage("log", "Writing and logging the report"):
        return _log(store, config, run, made)


def _read_picture(run: LoggedRun, caption: Caption) -> Picture:
    """A figure that a run logged; raises `UserError` if its file is not there. Earlier versions have neither SVG nor films."""
    svg = f"{FIGURES}/{caption.name}.svg"
    films = [ImagePicture(run.file(f"{FIGURES}/{each.file}").read_bytes(), each.caption, each.alt) for each in caption.films]
    return Picture(
        caption.name,
        caption.section,
        run.file(f"{FIGURES}/{caption.name}.png").read_bytes(),
        caption.caption,
        caption.alt,
        run.file(svg).read_bytes() if run.has_file(svg) else b"",
        films,
    )


def _context(document: Document, config: Config, asked: list[str], evaluated: str) -> ReportContext:
    """Those of the run, with what is different of its evaluation."""
    model = replace(document.context.model, settings=flat_params(config))
    return replace(document.context, evaluated=evaluated, asked=asked, evaluated_by=describe_code(), role="evaluation", model=model)


def _elsewhere(run: LoggedRun, document: Document, found: Assessment, sample: Sample, passed: Estimate | None) -> OtherDataResult:
    """The run's own result beside that of other data, for the metrics of the first screen and the summary."""
    own, known = document.assessment, {each.name: each.label for each in (*overall("headline"), *overall("summary"))}
    for name in own.classes:
        known |= {f"{slug(name)}/{each.name}": f"{name} {each.label}" for each in by_class("summary")}
    changes = [
        MetricShift(name, label, own.estimates[name], other, unpaired_difference(own.estimates[name], other))
        for name, label in known.items()
        if (other := found.estimates.get(name)) and name in own.estimates
    ]
    sampled = read_sample(run)
    shift = shift_of(sampled, sample) if sampled and sampled.pooled.shape[1] == sample.pooled.shape[1] else None
    why_not = "" if shift else "the run was made before features of its images were stored: cxr reproduce makes a run that has them"
    return OtherDataResult(part_in_full(own.part), own.images, changes, shift, why_not, passed)


def model_classes(run: LoggedRun) -> tuple[str, ...]:
    """The classes of a run's model, in its order."""
    return predictions_of(run)["val"].classes


def rows_of(logged: Logged, evaluated: Predictions) -> pd.DataFrame:
    """The manifest's rows of the evaluated images, in their order; raises `UserError` if one is missing."""
    rows = logged.manifest.set_index("path", drop=False)
    if missing := set(evaluated.ids) - set(rows.index):
        raise UserError(f"the manifest of run {name_with_id(logged.run)} has no row for {min(missing)}, which it predicted")
    return rows.loc[list(evaluated.ids)].reset_index(drop=True)


def read_document(run: LoggedRun) -> Document:
    """The report that a run logged; raises `UserError` if it has none, or one of an unknown version."""
    try:
        return from_json(run.file(DOCUMENT).read_text(encoding="utf-8"))
    except ValueError as error:
        first = str(error).splitlines()[0]
        raise UserError(
            f"the report of {name_with_id(run)} can't be read ({first}): cxr reproduce {run.short_id} makes a new one"
        ) from None


@dataclass(frozen=True)
class _Made:
    """What an evaluation leaves: `pictures` beside those that follow from predictions, `shared` images that the run has seen."""

    name: str
    evidence: Evidence
    found: Assessment
    saliency: Saliency | None
    pictures: Sequence[Picture]
    context: ReportContext
    manifest: pd.DataFrame
    tags: dict[str, str | None]
    shared: pd.DataFrame = field(default_factory=pd.DataFrame)


def _log(store: Store, config: Config, source: LoggedRun, made: _Made) -> Evaluated:
    evidence, found = made.evidence, made.found
    results = results_of(evidence, found, config.evaluation.specificity)
    tags = made.tags | {
        "cxr.role": "evaluation",
        "cxr.evaluates": source.id,
        "mlflow.parentRunId": source.id,
        "cxr.judged_on": evidence.part,
        **code_tags(),
    }
    config = replace(config, tracking=replace(config.tracking, run_name=made.name))
    with open_run(store, config, made.name, tags) as run, scratch() as folder:
        for each in ("data", "config"):
            (folder / each).mkdir()
        (folder / "config/config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.structured(config)))
        write_part_results(folder, results)
        (folder / "predictions").mkdir()
        for part in results:
            part.predictions.to_csv(folder / "predictions" / f"{part.part}.csv")
        write_manifest(made.manifest, folder / "data/manifest.csv")
        if len(made.shared):
            write_csv(made.shared, folder / "data/overlap.csv")
        drawn = pictures_of(assessment_figures(evidence.evaluated, found), config.evaluation.figure_dpi)
        context = replace(
            made.context,
            title=f"cxr evaluation {made.name}",
            run_id=run.id,
            name=made.name,
            started=day_of(run),
            user=run.user,
        )
        document = write_report(folder, context, found, made.saliency, [*drawn, *made.pictures])
        run.log_folder(folder)
        run.describe(description(document))
        run.set_tags(evaluation_tags(found))
        run.show_table(TABLE)
        run.log_metrics(final_metrics(results, found))
    return Evaluated(run.id, made.name, found)
