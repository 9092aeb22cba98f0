"""Three families, and a small backbone at each depth, train above cached activations: to the bit a second time, from the cache.

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

SMALL = "keras_file"
CASES = [
    *((SMALL, depth, "float32") for depth in ("head", "last_block", "half", "all", "gradual")),
    *(("mobilenet_v3_small", "last_block", "mixed_float16"), ("densenet121", "last_block", "mixed_bfloat16")),
    ("convnext_tiny", "last_block", "float32"),
]


def trained(config: Config, cache: Cache) -> Fitted:
    prepare_tensorflow(config.training)
    network = build_network(config.backbone, 3, Weights(), config.training.seed)
    data = bright(config.backbone.image_size, count=12, trained=8)
    return fit(network, data, loss_of(config), config, Watcher(), cache=cache)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "depth", "precision"), CASES, ids=["-".join(case) for case in CASES])
def test_backbone_trains_and_trains_again_to_the_bit(
    name: str, depth: str, precision: str, compose_config: Compose, small_backbone: tuple[str, ...], tmp_path: Path
) -> None:
    known = backbone_of(name)
    size = [f"backbone.image_size={max(32, known.smallest)}"] if known else []
    chosen = small_backbone if name == SMALL else (f"backbone={name}", *size, "backbone.weights=none")
    warm = ["freeze.gradual={head:1,last_block:1}"] if depth == "gradual" else ["freeze.warmup_epochs=1"] if depth != "head" else []
    config = compose_config(
        *(*chosen, f"freeze={depth}", *warm),
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
