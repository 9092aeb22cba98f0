"""The numbers of a run: thresholds chosen on validation, results on the last part of the split."""

from cxr.data.parts import Part
from cxr.evaluation.assessment import Assessment, Evidence, assess, subgroup_columns
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.results import PartResults, results_of
from cxr.run.prepared import PreparedRun


def assess_run(prepared: PreparedRun, predictions: dict[Part, Predictions]) -> tuple[list[PartResults], Assessment]:
    """Choose thresholds on validation and compute all numbers of the last part."""
    dataset, settings = prepared.dataset, prepared.config.evaluation
    part = dataset.parts[-1]
    rows = dataset.manifest.iloc[dataset.rows(part)]
    columns = rows[subgroup_columns(prepared.config, rows)].reset_index(drop=True)
    validation = dataset.manifest.iloc[dataset.rows("val")].reset_index(drop=True)
    evidence = Evidence(
        predictions["val"],
        predictions[part],
        part,
        list(rows["group"]),
        columns,
        list(validation["group"]),
        validation_columns=validation[list(columns)],
    )
    assessment = assess(evidence, settings)
    return results_of(evidence, assessment, settings), assessment
