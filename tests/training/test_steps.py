"""Steps give the numbers of Keras' `fit` and `evaluate`: the same batches, dropout, optimizer and loss."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from cxr.config.schema import Config, OptimizerConfig, TrainingConfig
from cxr.model.optimizer import make_optimizer
from cxr.training.fit import shuffled
from cxr.training.runtime import prepare_tensorflow
from cxr.training.steps import Steps, xla_pays
from tests.conftest import Compose

RNG = np.random.default_rng(0)
TARGETS = np.eye(3, dtype=np.float32)[np.arange(30) % 3]
TRAIN, VAL, BATCH, EPOCHS = np.arange(21), np.arange(21, 30), 8, 3


def vectors() -> keras.Model:
    """A head on vectors, as on pooled features."""
    inputs = keras.Input((12,))
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(keras.layers.Dropout(0.3)(inputs)))


def arrays(dropout: float = 0.3) -> keras.Model:
    """A convolution whose rate is the backbone's, and a head."""
    inputs = keras.Input((6, 6, 2))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(8, 3, name="block_16_project")(inputs))
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(keras.layers.Dropout(dropout)(pooled)))


def loss(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return keras.losses.categorical_crossentropy(targets, logits, from_logits=True)


def steps_of(model: keras.Model, values: NDArray[np.float32], config: Config, xla: bool = False) -> Steps:
    """Steps on inputs in memory."""
    optimizer = make_optimizer(config, model.trainable_variables, {}, steps=9)
    read: dict[str, Any] = {"prepare": lambda rows, view: None, "take": lambda rows, view: values[rows]}
    inputs = SimpleNamespace(shape=values.shape[1:], dtype="float32", **read)
    return Steps(model, inputs, TARGETS, loss, optimizer, config, xla)


CASES = [(make, name) for make in (vectors, arrays) for name in ("adam", "sgd")]


@pytest.mark.parametrize(("make", "name"), CASES, ids=[f"{make.__name__}-{name}" for make, name in CASES])
def test_steps_are_those_of_keras(make: Callable[[], keras.Model], name: str) -> None:
    config = Config(optimizer=OptimizerConfig(name=name, learning_rate=0.05, schedule="cosine"))
    values = RNG.normal(size=(30, *make().input.shape[1:])).astype(np.float32)

    prepare_tensorflow(TrainingConfig(seed=3))
    ours = make()
    steps = steps_of(ours, values, config)
    scores = []
    for epoch in range(EPOCHS):
        trained = steps.train(shuffled(TRAIN, 0, epoch), None, BATCH, lambda done, of: None)
        scores.append((trained, steps.evaluate(VAL, 4)))

    prepare_tensorflow(TrainingConfig(seed=3))
    theirs = make()
    theirs.compile(make_optimizer(config, theirs.trainable_variables, {}, steps=9), loss, metrics=["accuracy"], jit_compile=False)
    for epoch in range(EPOCHS):
        rows = shuffled(TRAIN, 0, epoch)
        history = theirs.fit(
            values[rows], TARGETS[rows], BATCH, shuffle=False, verbose=0, validation_data=(values[VAL], TARGETS[VAL])
        ).history
        trained, validated = scores[epoch]
        expected = [history[key][0] for key in ("loss", "accuracy", "val_loss", "val_accuracy")]
        assert [trained.loss, trained.accuracy, validated.loss, validated.accuracy] == pytest.approx(expected, rel=1e-5)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(steps.predict(VAL, 4), keras.ops.softmax(theirs(values[VAL], training=False)), atol=1e-5)


def test_updates_that_xla_compiles_are_those_of_tensorflow() -> None:
    """Without dropout, for which it draws other numbers."""
    values, results = RNG.normal(size=(30, 6, 6, 2)).astype(np.float32), []
    for xla in (False, True):
        prepare_tensorflow(TrainingConfig(seed=3))
        model = arrays(dropout=0)
        config = Config(optimizer=OptimizerConfig(clip_norm=0.5), training=TrainingConfig(weight_average=0.9))
        steps = steps_of(model, values, config, xla)
        results.append((steps.train(TRAIN, None, BATCH, lambda done, of: None).loss, model.get_weights()))
    assert results[1][0] == pytest.approx(results[0][0], rel=1e-5)
    for one, other in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("overrides", "updates", "gpu", "pays"),
    [
        ((), 10**6, True, True),
        ((), 100, True, False),
        ((), 10**6, False, False),
        (("training.deterministic=true",), 10**6, True, False),
        (("augment.mixup=0.2",), 10**6, True, False),
    ],
)
def test_xla_is_for_many_updates_on_a_gpu(
    overrides: tuple[str, ...], updates: int, gpu: bool, pays: bool, compose_config: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cxr.training.steps.on_gpu", lambda: gpu)
    assert xla_pays(compose_config(*overrides), updates) == pays


def test_scores_do_not_depend_on_the_size_of_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = RNG.normal(size=(30, 12)).astype(np.float32)
    scores, seen = [], []
    for size in (10**6, BATCH * 12 * 4):
        monkeypatch.setattr("cxr.training.inputs._BYTES_AT_ONCE", size)
        prepare_tensorflow(TrainingConfig(seed=3))
        steps = steps_of(vectors(), values, Config())
        scores.append(steps.train(TRAIN, None, BATCH, lambda done, of: seen.append((done, of))))
    assert (scores[0].loss, scores[0].accuracy) == pytest.approx((scores[1].loss, scores[1].accuracy), rel=1e-6)
    assert seen == [(21, 21), (8, 21), (16, 21), (21, 21)]
