"""The first screen: its sentences agree with the numbers, and an empty ROUTINE never reads as safety."""

from dataclasses import replace

import numpy as np
import pytest

from cxr.audit.gate import fit_gate
from cxr.data.identity.annotate import Identity
from cxr.evaluation.estimates import Estimate
from cxr.evaluation.operating_points import Outcome
from cxr.evaluation.report.document import Document
from cxr.evaluation.report.first_screen import describe_grouping, first_screen
from tests.evaluation.documents import DATA, compared, document, elsewhere_of
from tests.evaluation.made import skilled


@pytest.fixture(scope="module")
def report() -> Document:
    return document(skilled(1))


def test_images_and_tiles_follow_the_numbers(report: Document) -> None:
    assessment, screen = report.assessment, first_screen(report)
    share = 100 * assessment.by_class["COVID"] / 300
    assert screen.images[0] == (
        "Trained on 15 images (5 COVID, 33.3 %); tuned on 12 images (4 COVID, 33.3 %); evaluated on the test part: "
        f"300 images ({assessment.by_class['COVID']} COVID, {share:.1f} %)."
    )
    by_text = {tile.text: tile for tile in screen.tiles}
    assert by_text["Accuracy"].estimate == assessment.estimates["accuracy"]
    assert by_text["COVID sensitivity, most probable class"].estimate == assessment.estimates["covid/sensitivity"]
    point = next(point for point in assessment.operating_points if point.rule.name == "specificity_target")
    tile = by_text[f"COVID sensitivity from p = {point.rule.threshold:.3f}"]
    assert tile.estimate == point.evaluated.sensitivity
    assert "specificity target 0.99" in tile.notes[0]


def test_triage_follows_the_numbers(report: Document) -> None:
    assessment, screen = report.assessment, first_screen(report)
    assert assessment.triage is not None
    routine = assessment.triage.zones[2]
    assert (routine.of_positives.count or 0) > 0
    assert screen.triage.startswith(f"Triage: {routine.of_positives.count} of {routine.of_positives.of} COVID images (")
    assert f"ROUTINE holds {routine.of_others.count} of {routine.of_others.of} other images" in screen.triage
    assert next(tile for tile in screen.tiles if "delayed" in tile.text).estimate == routine.of_positives


def test_empty_routine_is_no_sign_of_safety(report: Document) -> None:
    assert report.assessment.triage is not None
    nothing = [
        replace(zone, of_positives=replace(zone.of_positives, count=0, value=0.0), of_others=replace(zone.of_others, count=0))
        for zone in report.assessment.triage.zones
    ]
    triage = replace(report.assessment.triage, zones=nothing)
    screen = first_screen(replace(report, assessment=replace(report.assessment, triage=triage)))
    assert "ROUTINE is empty" in screen.triage
    assert "no sign of safety" in screen.triage
    assert any("no sign of safety" in note for tile in screen.tiles for note in tile.notes)


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        (Identity(0, 0, 0), "Split by image, not by patient: no patient is known, so one may be in several parts; no copies"),
        (Identity(5, 2, 0), "5 copies and near copies in 2 sets, each set in one part"),
        (Identity(0, 0, 36), "Split by patient: all images of one are in one part"),
        (Identity(0, 0, 7), "Split by patient where one is known (7 of 36 images), else by image"),
    ],
)
def test_level_of_the_split_is_described(identity: Identity, words: str) -> None:
    assert words in describe_grouping(replace(DATA, identity=identity))


def test_intervals_are_of_images_and_the_baselines_settings_are_named() -> None:
    differences, changes = compared(skilled(1)), {"freeze": ("head", "last_stage")}
    screen = first_screen(document(skilled(1), differences=differences, baseline="base (12345678)", baseline_settings=changes))
    assert "not the training: one network was trained, with seed 0" in screen.sure
    primary = next(row for row in differences if row.metric == "auc_macro_ovr")
    assert f"primary metric auc_macro_ovr: {primary.difference:+.3f}" in screen.against[0]
    assert ("clear" if primary.is_clear else "within chance") in screen.against[0]
    assert screen.against[1] == "Settings of the baseline that differ: freeze head -> last_stage."


@pytest.mark.parametrize(("auc", "words"), [(0.99, "nearly every image differs"), (0.8, "many images differ"), (0.5, "are alike")])
def test_other_data_is_described_with_the_own_result_and_its_distance(auc: float, words: str, report: Document) -> None:
    context = replace(report.context, other_data=DATA, elsewhere=elsewhere_of(report.assessment, auc))
    screen = first_screen(replace(report, context=context))
    assert "difference -0.100 (-0.200 to +0.000)" in screen.tiles[0].notes
    assert any(words in reason and "contrast 50 -> 70" in reason for reason in screen.distrust)


def test_gate_is_described_by_the_share_that_it_was_fitted_to_pass(report: Document) -> None:
    rng = np.random.default_rng(0)
    known, others = rng.normal(size=(120, 6)).astype(np.float32), rng.normal(size=(1000, 6)).astype(np.float32)
    gate = fit_gate(known, np.arange(120) % 2, others)
    assert gate is not None
    passed = float(gate.passes(others).mean())
    away = replace(elsewhere_of(report.assessment), gate=Estimate(0.5))
    screen = first_screen(replace(report, context=replace(report.context, other_data=DATA, elsewhere=away)))
    assert any(f"gate, which lets {round(100 * passed)} % of its validation images pass" in line for line in screen.distrust)


def test_targets_not_demonstrated_are_among_what_to_distrust(report: Document) -> None:
    for point in report.assessment.operating_points:
        if point.rule.target is not None:
            shown = any(point.verdict in reason for reason in first_screen(report).distrust)
            assert shown == (point.outcome is not Outcome.DEMONSTRATED)
