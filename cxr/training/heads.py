"""Heads side by side: jobs that differ in loss and optimizer alone train on the same batches, all in one TensorFlow call."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from cxr.cache.store import Cache
from cxr.config.schema import Config
from cxr.data.augment import view_of_epoch
from cxr.errors import TrainingDiverged
from cxr.model.losses.registry import Loss
from cxr.model.network import Network
from cxr.model.optimizer import make_optimizer, optimizer_variables
from cxr.training.checkpoint import State, assign, capture, trained_weights, values_of
from cxr.training.course import Course
from cxr.training.fit import TrainingSet, Watcher, steps_of
from cxr.training.history import FrozenWork, History
from cxr.training.phases import plan_phases
from cxr.training.steps import Totals, mean_scores, over_vectors


def fit_heads(
    network: Network, data: TrainingSet, jobs: Sequence[tuple[Config, Loss]], cache: Cache, watcher: Watcher, work: FrozenWork
) -> list[State | None]:
    """The state in which the training of each job on its own would end, to rounding; None for one whose loss is not finite.

    The configs of all jobs have the same data, seed, batches and views, and train the head alone; `network` has the head with which
    each of them begins; `cxr.run.fit.groups` says what they may differ in. `work` counts activations.
    """
    config, loss = jobs[0]
    inputs = steps_of(plan_phases(config)[0], network, data, loss, config, watcher, cache, work).inputs
    courses = [_begin(network, config, len(data.train)) for config, _ in jobs]
    train, evaluate = (_compiled(network, courses, [loss for _, loss in jobs], training) for training in (True, False))
    states: list[State | None] = [None] * len(jobs)
    active, epoch, longest = dict(enumerate(courses)), 0, max(config.training.epochs for config, _ in jobs)
    while active:
        rates = [course.rate for course in courses]
        order, view = data.order(config.training, epoch), view_of_epoch(config.augment, epoch)
        trained = mean_scores(train, inputs, data.targets, order, view, config.training.batch_size)
        validated = mean_scores(evaluate, inputs, data.targets, data.val, None, config.evaluation.batch_size)
        for number, course in list(active.items()):
            try:
                course.keep_if_best(validated[number])
                course.end_epoch(trained[number], validated[number], rates[number])
            except TrainingDiverged:
                del active[number]
                continue
            if course.has_ended:
                del active[number]
                assign(trained_weights(network), course.best)
                states[number] = capture(network, optimizer_variables(course.optimizer), course.history, course.best)
        epoch += 1
        watcher.on_images(epoch, longest)
    return states


def _begin(network: Network, config: Config, images: int) -> Course:
    """The course of a head of its own, with the values of the network's."""
    weights = [keras.Variable(value) for value in values_of(trained_weights(network))]
    optimizer = make_optimizer(config, weights, {}, config.training.epochs * -(-images // config.training.batch_size))
    return Course(weights, optimizer, config, plan_phases(config)[0], History())


def _compiled(network: Network, courses: Sequence[Course], losses: Sequence[Loss], training: bool) -> Totals:
    """The updates of all heads, or their evaluation, on pooled features (n, channels): sums of losses and of correct images."""
    dropout = network.trainee.get_layer("dropout")

    def step(batch: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        features, sums = dropout(batch, training=training), []
        for course, loss in zip(courses, losses, strict=True):
            kernel, bias = course.weights
            with tf.GradientTape() as tape:
                logits = tf.matmul(features, kernel.value) + bias.value
                losses_of_images = loss(target, logits)
                mean = tf.reduce_mean(losses_of_images)
            if training:
                course.optimizer.apply(tape.gradient(mean, [kernel.value, bias.value]), course.weights)
            right = tf.argmax(logits, axis=-1) == tf.argmax(target, axis=-1)
            sums.append((tf.reduce_sum(losses_of_images), tf.reduce_sum(tf.cast(right, tf.float32))))
        sums_of_losses, counts = zip(*sums, strict=True)
        return tf.stack(sums_of_losses), tf.stack(counts)

    channels, classes = courses[0].weights[0].shape
    signature = tf.TensorSpec((None, channels), tf.float32), tf.TensorSpec((None, classes), tf.float32)
    return over_vectors(step, *signature, heads=len(courses))
