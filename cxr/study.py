"""What a run starts from, once known to be right, and what tells it from others."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxr.config import Config
from cxr.fingerprint import code_fingerprint, config_fingerprint, library_fingerprint
from cxr.recipe import Recipe

if TYPE_CHECKING:
    from cxr.cache.cache import Cache
    from cxr.data.dataset import Dataset
    from cxr.model.weights import Weights


@dataclass(frozen=True)
class Study:
    """What a run starts from, once all of it is known to be right."""

    config: Config
    recipe: Recipe
    dataset: "Dataset"
    weights: "Weights"
    cache: "Cache | None"  # none for the plain loop


def fingerprints(study: Study) -> dict[str, str]:
    """What a run is a function of, as tags: two runs that agree in all of them are the same experiment."""
    from cxr.data.manifest import data_fingerprint, split_fingerprint

    return {
        "cxr.config_fingerprint": config_fingerprint(study.config, study.weights.sha256),
        "cxr.data_fingerprint": data_fingerprint(study.dataset.manifest),
        "cxr.split_fingerprint": split_fingerprint(study.dataset.manifest),
        "cxr.code_fingerprint": code_fingerprint(),
        "cxr.library_fingerprint": library_fingerprint(),
    }
