"""Main effects of the settings of a sweep, against differences that are computed in another way."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import accuracy_score, log_loss
from statsmodels.stats.multitest import multipletests

from cxr.compare.cells import effects_markdown
from cxr.compare.effects import SENSITIVITY, describe_effects, effects_of
from cxr.compare.experiments import of_runs
from cxr.compare.runs import read_evaluated_run
from cxr.errors import UserError
from cxr.evaluation.paired import paired_differences
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.search import FINISHED, filtered_runs
from tests.logged_runs import MakeRun, fold

TAGS = {"cxr.positive_class": "covid", "cxr.evaluated_images": "90"}


def accuracy(run: LoggedRun) -> float:
    predictions = read_evaluated_run(run).predictions
    return float(accuracy_score(predictions.labels, predictions.predicted))


def test_effect_of_one_pair_is_its_difference(make_run: MakeRun) -> None:
    first = make_run("first", 1.0, tags=TAGS, overrides=("ablation=none", "split.fold=0"), metrics={"seconds/train": 10.0})
    other = make_run("other", 2.0, seed=2, tags=TAGS, overrides=("ablation=light_views",), metrics={"seconds/train": 14.0})
    (effect,) = effects_of(of_runs([other, first]).experiments)
    assert (effect.name, effect.reference, effect.pairs, effect.seconds) == ("light_views", "none", 1, 4.0)
    a, b = (read_evaluated_run(run).predictions for run in (first, other))
    known = {difference.metric: difference for difference in paired_differences(a, b)}
    for metric in ("accuracy", "auc_macro_ovr"):
        change = effect.changes[metric]
        assert change.value == pytest.approx(known[metric].difference)
        assert (change.low, change.high) == pytest.approx((known[metric].low, known[metric].high), abs=0.02)
    assert effect.changes["log_loss"].value == pytest.approx(
        log_loss(b.labels, b.probabilities) - log_loss(a.labels, a.probabilities)
    )
    assert SENSITIVITY in effect.changes


def test_intervals_hold_for_all_effects_together(make_run: MakeRun) -> None:
    first = make_run("first", 1.0, tags=TAGS, overrides=("loss=plain",))
    others = [make_run(name, 1.3, seed=2 + place, tags=TAGS, overrides=(f"loss={name}",)) for place, name in enumerate("abcdefgh")]
    (alone,) = effects_of(of_runs([first, others[0]]).experiments)
    effects = effects_of(of_runs([first, *others]).experiments)
    of_first = next(effect for effect in effects if effect.value == "a")
    for metric, change in alone.changes.items():
        p_value = 2 * norm.sf(1.959964 * abs(change.value) / (change.high - change.value))
        wider = of_first.changes[metric]
        assert wider.value == change.value
        assert (wider.high - wider.low) / (change.high - change.low) == pytest.approx(norm.isf(0.025 / 8) / norm.isf(0.025))
        adjusted = multipletests([p_value, *[1.0] * 7], method="bonferroni")[1][0]
        assert (change.is_clear, wider.is_clear) == (p_value < 0.05, adjusted < 0.05)
    lost = [metric for metric, change in alone.changes.items() if change.is_clear and not of_first.changes[metric].is_clear]
    assert lost  # what looked clear alone is within the chance of eight looks
    assert "hold for all 8 changes together with 95 % confidence (Bonferroni)" in describe_effects(effects)


def test_effect_in_a_grid_is_the_mean_over_the_other_settings(make_run: MakeRun) -> None:
    runs = {}
    for seed, (loss, freeze) in enumerate(product(("plain", "focal"), ("head", "half")), 1):
        runs[loss, freeze] = make_run(
            f"{loss}-{freeze}", 0.5 + 0.5 * seed, seed=seed, overrides=(f"loss={loss}", f"freeze={freeze}")
        )
    effects = {effect.name: effect for effect in effects_of(of_runs(list(runs.values())).experiments)}
    assert {name: effect.pairs for name, effect in effects.items()} == {"loss=focal": 2, "freeze=half": 2}
    of_loss = np.mean([accuracy(runs["focal", freeze]) - accuracy(runs["plain", freeze]) for freeze in ("head", "half")])
    of_freeze = np.mean([accuracy(runs[loss, "half"]) - accuracy(runs[loss, "head"]) for loss in ("plain", "focal")])
    assert effects["loss=focal"].changes["accuracy"].value == pytest.approx(of_loss)
    assert effects["freeze=half"].changes["accuracy"].value == pytest.approx(of_freeze)
    assert effects["loss=focal"].seconds is None
    assert SENSITIVITY not in effects["loss=focal"].changes  # no class is urgent


def test_folds_count_together(make_run: MakeRun) -> None:
    for name, skill in (("none", 1.0), ("cost_loss", 3.0)):
        for number in range(3):
            of_job = (f"ablation={name}", "split=kfold", f"split.fold={number}")
            make_run(f"{name}-{number}", skill, fold=fold(number), loss="focal" if skill > 1 else "plain", overrides=of_job)
    (effect,) = effects_of(of_runs(filtered_runs(FINISHED)).experiments)
    assert (effect.name, effect.pairs) == ("cost_loss", 1)
    assert effect.changes["accuracy"].is_clear
    assert "Better: cost_loss +" in describe_effects([effect])
    assert "| cost_loss | +" in effects_markdown([effect])


def test_experiments_without_a_pair_have_no_effect(make_run: MakeRun) -> None:
    runs = [make_run("a", overrides=("loss=plain", "freeze=head")), make_run("b", overrides=("loss=focal", "freeze=half"))]
    with pytest.raises(UserError, match="no two of these experiments differ in one setting alone"):
        effects_of(of_runs(runs).experiments)
