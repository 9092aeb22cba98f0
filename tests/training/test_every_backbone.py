"""Three families of backbones train above their cached activations, and do so to the bit a second time, from the cache.

The contract in tests/model/test_backbones.py holds the others.
"""

from pathlib import Path

import keras
import numpy as np
import pytest

from cxr.cache.store import Cache
from cxr.config.schema import Config
from cxr.model.backbones.registry import backbone_of
from cxr.model.network import build_network
from cxr.model.resolve import resolve
from cxr.model.weights import Weights
from cxr.training.fit import Fitted, Watcher, fit
from cxr.training.runtime import prepare_tensorflow
from tests.conftest import Compose
from tests.training.test_fit import bright, loss_of

CHEAP = "mobilenet_v3_small"
DEPTHS = ("head", "last_block", "half", "all", "gradual")
CASES = [
    *((CHEAP, depth, "mixed_float16" if depth == "last_block" else "float32") for depth in DEPTHS),
    *(("densenet121", "last_block", "mixed_bfloat16"), ("convnext_tiny", "last_block", "float32")),
]


def trained(config: Config, cache: Cache) -> Fitted:
    prepare_tensorflow(config.training)
    network = build_network(config.backbone, 3, Weights(), config.training.seed)
    data = bright(config.backbone.image_size, count=12, trained=8)
    return fit(network, data, loss_of(config), config, Watcher(), cache=cache)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "depth", "precision"), CASES, ids=["-".join(case) for case in CASES])
def test_backbone_trains_and_trains_again_to_the_bit(
    name: str, depth: str, precision: str, compose_config: Compose, tmp_path: Path
) -> None:
    known = backbone_of(name)
    assert known is not None
    warm = ["freeze.gradual={head:1,last_block:1}"] if depth == "gradual" else ["freeze.warmup_epochs=1"] if depth != "head" else []
    config = compose_config(
        *(f"backbone={name}", f"backbone.image_size={max(32, known.smallest)}", "backbone.weights=none", f"freeze={depth}", *warm),
        *("training.epochs=3", "training.batch_size=4", "training.deterministic=true", "training.early_stopping_patience=null"),
        *("augment=light", "optimizer.stage_decay=0.5", f"training.precision={precision}"),
    )
    config = resolve(config).config
    cache = Cache(tmp_path / "cache", 10**9)
    first, second = trained(config, cache), trained(config, cache)
    assert first.frozen.computed > 0
    assert (second.frozen.computed, second.history) == (0, first.history)
    probabilities = first.predict(np.arange(12))
    np.testing.assert_array_equal(second.predict(np.arange(12)), probabilities)
    assert np.isfinite(probabilities).all()
    keras.utils.clear_session()
