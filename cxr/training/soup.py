"""A soup: the average of the weights of several trained networks, chosen greedily on validation loss."""

import math
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import keras

from cxr.config.schema import AugmentConfig, Config
from cxr.data.views import Viewer
from cxr.errors import RunFailed
from cxr.model.losses.registry import Loss
from cxr.model.network import Network
from cxr.model.partition import pooled_part
from cxr.training.checkpoint import Arrays, assign, values_of
from cxr.training.fit import Fitted, TrainingSet, Watcher, fitted_by
from cxr.training.history import Epoch, FrozenWork, History
from cxr.training.inputs import Images
from cxr.training.steps import Steps


def mix(network: Network, ingredients: Sequence[Path], data: TrainingSet, loss: Loss, config: Config, watcher: Watcher) -> Fitted:
    """Give `network` the average of the weights in the `.keras` files `ingredients`, of which the best comes first.

    Each is added in turn, and stays if the validation loss falls. The history has an epoch for each that was tried, the best is the
    last that stayed.

    Raises:
        RunFailed: The weights of a file do not fit, or no loss is a finite number.

    Source:
        Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
        inference time", ICML 2022, recipe 1, with loss in place of accuracy.
    """
    steps = _steps_of(network, data, loss, config)
    variables, history, soup, count = network.classifier.weights, History(), Arrays(), 0
    lowest = math.inf
    for number, path in enumerate(ingredients, 1):
        try:
            network.classifier.load_weights(path)
        except (ValueError, KeyError, OSError, BadZipFile) as error:
            raise RunFailed(f"the weights in {path} do not fit the others: {' '.join(str(error).split())[:200]}") from None
        own = values_of(variables)
        tried = [(mean * count + value) / (count + 1) for mean, value in zip(soup, own, strict=True)] if count else own
        assign(variables, tried)
        score = steps.evaluate(data.val, config.evaluation.batch_size)
        if score.loss < lowest:  # never, if it is not a number
            lowest, soup, count, history.best_epoch = score.loss, tried, count + 1, number
        numbers = {"val/loss": score.loss, "val/accuracy": score.accuracy, "soup/ingredients": float(count)}
        history.epochs.append(Epoch(number, "soup", numbers))
        watcher.on_epoch(history.epochs[-1])
    if not count:
        diverged = "the validation loss of each network of this soup is not a finite number"
        raise RunFailed(f"{diverged}: name runs whose training did not diverge")
    assign(variables, soup)
    return fitted_by(steps, history, FrozenWork(), config)


def soup_from(network: Network, model: Path, data: TrainingSet, loss: Loss, config: Config, history: History) -> Fitted:
    """A soup whose weights are in the `.keras` file `model`: predictions are those that it had, to the bit."""
    network.classifier.load_weights(model)
    return fitted_by(_steps_of(network, data, loss, config), history, FrozenWork(), config)


def _steps_of(network: Network, data: TrainingSet, loss: Loss, config: Config) -> Steps:
    viewer = Viewer(data.images, data.hashes, AugmentConfig(), config.training.seed)
    never = keras.optimizers.SGD()  # makes no update
    return Steps(network.trainee, Images(viewer), data.targets, loss, never, config, body=pooled_part(network.trainee, None))
