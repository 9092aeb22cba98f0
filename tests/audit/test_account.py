"""The account: the reasons of a verdict in sentences, the same as stored ones."""

from dataclasses import replace

import pytest

from cxr.audit.account import account_of, verdict_text
from cxr.audit.audit import Audit, audit
from cxr.audit.verdict import Verdict
from cxr.config.schema import AuditConfig
from cxr.evaluation.estimates import Estimate
from cxr.evaluation.light import Light
from tests.audit.made import MeanModel, noise

KNOWN, WIDE = Estimate(0.31, 0.25, 0.4), Estimate(0.3, -1.0, 2.0)
LEFT = "31 % of what a linear probe tells above chance is left without the lungs (95 % interval 25 to 40 %)"


@pytest.fixture(scope="module")
def few() -> Audit:
    return audit(noise(12), MeanModel(), AuditConfig())


def test_verdict_without_numbers_gives_the_reason(few: Audit) -> None:
    assert verdict_text(few) == "Not known: a class has 4 groups of images, and a probe needs 10"


def test_verdict_gives_shares_and_the_first_places(few: Audit) -> None:
    corners = replace(few.traits[0], auc=Estimate(0.9, 0.8, 0.95))
    certain = replace(
        few, left_without_lungs={"mean": KNOWN}, kept=KNOWN, traits=[corners], verdict=Verdict(Light.SOME, ["corners"])
    )
    assert verdict_text(certain) == (
        "Some evidence of a shortcut: the model keeps 31 % (25 to 40 %) of what it tells above chance on the background of "
        f"another class; {LEFT}; the four corners, with markers and text alone: AUC 0.900 (0.800-0.950)"
    )
    assert "or prepare=erased against the first trait" in account_of(certain).advice


def test_verdict_that_is_unknown_begins_with_its_doubts(few: Audit) -> None:
    doubtful = replace(few, left_without_lungs={"mean": WIDE}, kept=WIDE, traits=few.traits[:1])
    assert verdict_text(doubtful).startswith(
        "Not known: the interval without the lungs is too wide; the interval of the four corners, with markers and text is too "
        "wide; on the background of another class the model may lose more than that; the model keeps 30 % (0 to 200 %)"
    )


@pytest.mark.parametrize(
    ("low", "high", "alarms", "note"),
    [
        (
            0.36,
            0.49,
            0,
            "Labels do not leak: with shuffled ones a probe has AUC 0.425 (0.360-0.490), not above chance; folds put it below",
        ),
        (0.45, 0.53, 0, "Labels do not leak: with shuffled ones a probe has AUC 0.490 (0.450-0.530), not above chance"),
        (0.55, 0.65, 1, "A probe predicts shuffled labels with AUC 0.600 (0.550-0.650): labels leak"),
    ],
)
def test_shuffled_labels_are_tested(low: float, high: float, alarms: int, note: str, few: Audit) -> None:
    account = account_of(replace(few, shuffled_labels=Estimate((low + high) / 2, low, high)))
    assert len(account.alarms) == alarms
    assert len([text for text in (*account.alarms, *account.notes) if text.startswith(note)]) == 1


def test_shuffled_labels_of_too_few_images_have_a_reason(few: Audit) -> None:
    assert "No probe was fitted on shuffled labels: a class has 4 groups of images, and a probe needs 10" in account_of(few).notes
