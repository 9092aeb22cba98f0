"""The first screen of a report: what was run, on whom, how good, how sure, what is delayed, against what, what to distrust."""

from dataclasses import dataclass

from cxr.evaluation.estimates import PERCENT, Estimate, no_image_of
from cxr.evaluation.figures.decisions import RULES
from cxr.evaluation.metric_table import AUC_NOT_NORMAL, by_class, overall
from cxr.evaluation.operating_points import Outcome
from cxr.evaluation.report.document import Data, Document, OtherDataResult
from cxr.evaluation.shift import GATE_PASSING
from cxr.text import part_in_full, percent, pluralize, slug

_FEW = 100  # images, below which the page says that every interval is wide
# AUC of a classifier that tells other data from the run's own, from which nearly every image, or many, count as different.
_ALL_DIFFER, _MANY_DIFFER = 0.95, 0.7


@dataclass(frozen=True)
class Tile:
    """One number, with what it needs to be understood."""

    text: str
    estimate: Estimate
    notes: list[str]


@dataclass(frozen=True)
class FirstScreen:
    """Sentences and numbers in the order of the page."""

    model: str
    images: list[str]
    tiles: list[Tile]
    triage: str
    against: list[str]
    sure: str
    distrust: list[str]


def first_screen(document: Document) -> FirstScreen:
    """The first screen of a whole report."""
    model = document.context.model
    return FirstScreen(
        model=f"{model.backbone}, {model.trained}; {model.loss}; {model.augmentation}.",
        images=[_images(document), describe_grouping(document.context.data)],
        tiles=_tiles(document),
        triage=describe_triage(document),
        against=_against(document),
        sure=f"Intervals ({PERCENT}) cover the choice of evaluated images, not the training: one network was trained, with seed "
        f"{model.seed}. cxr -m training.seed=0,1,2,3,4 and then cxr folds show how much another seed changes.",
        distrust=_distrust(document),
    )


def describe_grouping(data: Data) -> str:
    """The level at which the parts of the split are disjoint, and what is known of copies and patients."""
    if data.identity is None:
        return f"Copies, near copies and images of one patient share a part of the split ({data.groups:,} groups)."
    images, known = sum(sum(parts.values()) for parts in data.flow.values()), data.identity
    copies = f"{known.copies:,} copies and near copies in {pluralize(known.sets, 'set')}, each set in one part"
    copies = copies if known.sets else "no copies or near copies found"
    if not known.patients:
        return f"Split by image, not by patient: no patient is known, so one may be in several parts; {copies}."
    if known.patients >= images:
        return f"Split by patient: all images of one are in one part; {copies}."
    return f"Split by patient where one is known ({known.patients:,} of {pluralize(images, 'image')}), else by image; {copies}."


def describe_triage(document: Document) -> str:
    """How many images of the positive class would be delayed, and how many others are; or why there is no triage."""
    triage = document.assessment.triage
    if triage is None:
        return f"No triage: {document.assessment.no_positive_class}."
    positive, delayed, others = triage.positive_class, triage.routine.of_positives, triage.routine.of_others
    if triage.routine_is_empty:
        why = "no class is normal" if triage.normal_class is None else "no image qualified"
        why = "evaluation.review_routine sends every image to review" if triage.every_routine_reviewed else why
        return f"Triage: ROUTINE is empty ({why}), so it delays no {positive} image and saves no reading: no sign of safety."
    if delayed.value is None:
        return (
            f"Triage: ROUTINE holds {others.in_sentence} of the images; how many {positive} images would be delayed is "
            f"{no_image_of(positive)}."
        )
    return (
        f"Triage: {delayed.count:,} of {delayed.of:,} {positive} images ({delayed.in_sentence}) fall into ROUTINE and would be "
        f"delayed; ROUTINE holds {others.count:,} of {others.of:,} other images ({others.in_sentence})."
    )


def _images(document: Document) -> str:
    context, assessment = document.context, document.assessment
    positive = assessment.triage.positive_class if assessment.triage else None

    def share(count: int, of_positive: int) -> str:
        images = pluralize(count, "image")
        return f"{images} ({of_positive:,} {positive}, {100 * of_positive / count:.1f} %)" if positive and count else images

    def of(part: str) -> str:
        return share(context.data.count(part), context.data.count(part, positive) if positive else 0)

    evaluated = share(assessment.images, assessment.by_class[positive] if positive else 0)
    if assessment.chosen_on_same:
        return f"Trained on {of('train')}. Tuned and evaluated on the same {evaluated}: there is no test part."
    where = "other data" if context.other_data else f"the {part_in_full(assessment.part)} part"
    others = sum(assessment.unknown.values())
    others_text = f", and {pluralize(others, 'image')} of classes that the model does not know" if others else ""
    return f"Trained on {of('train')}; tuned on {of('val')}; evaluated on {where}: {evaluated}{others_text}."


def _tiles(document: Document) -> list[Tile]:
    assessment, headline = document.assessment, overall("headline")
    if AUC_NOT_NORMAL.name in assessment.estimates:
        headline = [AUC_NOT_NORMAL, *headline]
    if assessment.triage is None or assessment.without_positives:
        return [_tile(document, metric.name, metric.title) for metric in dict.fromkeys([*headline, *overall("summary")])]
    tiles = [_tile(document, metric.name, metric.title) for metric in headline]
    positive = assessment.triage.positive_class
    chosen_on = "these same images" if assessment.chosen_on_same else "validation"
    tiles += [
        _tile(document, f"{slug(positive)}/{metric.name}", f"{positive} {metric.label}, most probable class")
        for metric in by_class("headline")
    ]
    for point in assessment.operating_points:
        if point.rule.aim == "specificity" and point.rule.target is not None:
            rate, rule = point.evaluated.specificity, f"{RULES[point.rule.name].lower()} {point.rule.target:g}"
            notes = [f"rule: {rule}, threshold from {chosen_on}", f"specificity {rate.in_sentence}"]
            tiles.append(Tile(f"{positive} sensitivity from p = {point.rule.threshold:.3f}", point.evaluated.sensitivity, notes))
    routine = assessment.triage.routine
    held = f"ROUTINE holds {routine.of_others.in_sentence} of the others"
    held = "ROUTINE is empty: no sign of safety" if assessment.triage.routine_is_empty else held
    tiles.append(Tile(f"{positive} delayed in ROUTINE", routine.of_positives, [held]))
    return tiles


def _tile(document: Document, name: str, text: str) -> Tile:
    """A number with the images behind it, its difference from the baseline, or from the run's own test part."""
    estimate, context, elsewhere = document.assessment.estimates[name], document.context, document.context.elsewhere
    of_metric = [difference for difference in context.differences if difference.metric == name]
    notes = [f"{difference.difference:+.3f} against baseline ({difference.interval_text})" for difference in of_metric]
    for change in elsewhere.changes if elsewhere else []:
        if elsewhere and change.metric == name:
            notes += [f"own {elsewhere.part} part: {change.own.text}", f"difference {change.difference.signed}"]
    return Tile(text, estimate, notes)


def _against(document: Document) -> list[str]:
    context = document.context
    if not context.differences:
        return [f"Baseline: {context.no_baseline}"]
    differing = "; ".join(f"{key} {before} -> {now}" for key, (before, now) in context.baseline_settings.items())
    primary = context.primary_difference
    if primary is None:
        return [f"Against {context.baseline}: the primary metric ({context.primary}) was not compared."]
    clear = "clear" if primary.is_clear else "within chance" if primary.p_value is not None else primary.why_not
    return [
        f"Against {context.baseline}, primary metric {context.primary}: {primary.difference:+.3f} ({primary.interval_text}), "
        f"p {primary.p_value_text}: {clear}. All other comparisons explore.",
        f"Settings of the baseline that differ: {differing}." if differing else "No option of the baseline differs.",
    ]


def _distrust(document: Document) -> list[str]:
    context, assessment = document.context, document.assessment
    reasons = [*context.caveats, *assessment.notes]
    if context.elsewhere:
        reasons.append(_describe_shift(context.elsewhere))
    open_points = [row for row in assessment.operating_points if row.outcome not in (Outcome.NO_TARGET, Outcome.DEMONSTRATED)]
    reasons += [f"{RULES[point.rule.name]}: {point.verdict}" for point in open_points]
    if assessment.images < _FEW:
        reasons.append(f"Only {assessment.images} images are evaluated: every interval is wide.")
    stored = "The images are a stored collection: prevalence, spectrum of disease and machines may differ from those of a clinic."
    return [*reasons, stored]


def _describe_shift(elsewhere: OtherDataResult) -> str:
    shift, gate = elsewhere.shift, elsewhere.gate
    passing = f" The model's gate, which lets {percent(GATE_PASSING)} of its validation images pass, lets "
    passing = f"{passing}{gate.text} of these pass." if gate else ""
    if shift is None or shift.told_apart.value is None:
        why = shift.told_apart.why_not if shift else elsewhere.why_no_shift
        return f"How far this data lies from the training data is not known: {why}."
    most = "; ".join(f"{change.name} {change.own:.3g} -> {change.other:.3g}" for change in shift.properties[:3])
    meaning = "the images are alike, as far as the network sees them"
    if shift.told_apart.value >= _ALL_DIFFER:
        meaning = "nearly every image differs, so a loss here need not mean a loss on images like its own"
    elif shift.told_apart.value >= _MANY_DIFFER:
        meaning = "many images differ from those of the training"
    apart = f"A linear classifier tells these images from the run's own with AUC {shift.told_apart.text} (0.5: it can't)"
    return f"{apart}: {meaning}. What differs most: {most}.{passing}"
