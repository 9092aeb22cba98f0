"""The checklists: every item of both standards, and no answer that a run can't know."""

import re
from dataclasses import replace

from cxr.evaluation.estimates import Estimate
from cxr.evaluation.report.checklist import STATES, answers, as_markdown, checklists, describe_gaps
from tests.evaluation.documents import document
from tests.evaluation.made import skilled


def test_items_are_complete_and_in_order() -> None:
    claim, tripod = checklists(document(skilled(1)))
    assert [item.number for item in claim.items] == [str(number) for number in range(1, 45)]
    assert [re.sub(r"\D", "", item.number) for item in tripod.items][:11] == [str(number) for number in range(1, 12)]
    assert tripod.items[-1].number == "27"
    assert {"11", "13", "14", "34", "44"} <= set(claim.numbers("open"))  # what no run can know
    assert {"19", "20", "22", "25", "29", "37", "39"} <= set(claim.numbers("answered"))
    assert {"7", "8", "40"} <= set(claim.numbers("partly"))  # the run knows files, and not clinics
    text = as_markdown([claim, tripod])
    for state in STATES:
        assert text.count(f"| {state} |") == len(claim.numbers(state)) + len(tripod.numbers(state))
    assert "{" not in text


def test_answers_follow_the_run() -> None:
    report = document(skilled(1))
    known = answers(report)
    assert known["left_out"] == "Left out: 2 images unreadable."
    assert "COVID train 5, val 4, test 3" in known["flow"]
    assert report.assessment.estimates["accuracy"].text in known["headline"]
    assert "Split by image, not by patient: no patient is known" in known["groups"]
    assert {name for name, answer in known.items() if not answer} == {"external", "sources", "licence"}
    assert {"33"} <= set(checklists(report)[0].numbers("open"))


def test_difference_of_two_groups_is_named_once_and_none_of_an_earlier_version() -> None:
    report = document(skilled(1))
    first, second = report.assessment.subgroups[:2]

    def sentence(column: str, others: int, **gaps: Estimate) -> str:
        groups = [replace(first, column=column, value="AP", gaps=gaps)]
        opposite = {name: Estimate(-gap.known[0], -gap.known[2], -gap.known[1]) for name, gap in gaps.items() if gap.known}
        groups += [replace(second, column=column, value=f"PA {number}", gaps=opposite) for number in range(others)]
        return describe_gaps(replace(report, assessment=replace(report.assessment, subgroups=groups)))

    low = Estimate(-0.2, -0.3, -0.1)
    assert sentence("view", 1, sensitivity=low) == (
        "Differences from the other images: view: AP, sensitivity -0.200 (-0.300 to -0.100)."
    )
    assert "view: PA 1, sensitivity +0.200" in sentence("view", 2, sensitivity=low)
    assert sentence("view", 1, auc=Estimate(-0.2, -0.3, 0.1)) == "No subgroup differs beyond chance."
    assert sentence("view", 1) == ""
