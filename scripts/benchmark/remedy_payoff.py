"""What a model loses where a planted shortcut is turned round: trained plainly, and with `experiment=lungs_first`."""

import statistics

from measure import Desk, add_row, desk, table
from rich.table import Table

SHORTCUTS = ("marker", "border", "exposure", "resolution")
# The same depth and epochs as the preset, without its remedies.
_PLAIN = ("freeze=half", "augment=light", "optimizer=adam_fast", "training=long")
_MODELS = {"plain": _PLAIN, "lungs_first": ("experiment=lungs_first",)}
_OTHER_SEED = 100  # of the phantoms that both models are evaluated on, added to the seed of those that they learn from


def payoff_table(seeds: int, images: int) -> Table:
    """Train both models for each shortcut and seed, one after another, and evaluate them on other phantoms."""
    title = f"Accuracy on new phantoms of {images}, {seeds} seeds: shortcut as learned, turned round, and what that loses"
    result = table(title, *(f"{model}, {name}" for model in _MODELS for name in ("as learned", "turned", "lost")))
    with desk() as ours:
        for shortcut in SHORTCUTS:
            cells: list[str] = []
            for model in _MODELS:
                pairs = [_accuracies(ours, shortcut, model, seed, images) for seed in range(seeds)]
                lost = [learned - turned for learned, turned in pairs]
                means = [statistics.mean(values) for values in zip(*pairs, strict=True)]
                cells += [*(f"{mean:.3f}" for mean in means), f"{statistics.mean(lost):.3f} ({min(lost):.3f}-{max(lost):.3f})"]
            add_row(result, shortcut, *cells)
    return result


def _accuracies(ours: Desk, shortcut: str, model: str, seed: int, images: int) -> tuple[float, float]:
    """Of one model on new phantoms, with the shortcut as it was learned, and turned round."""
    name = f"{shortcut}-{model}-{seed}"
    phantoms = (f"data.phantom.count={images}", f"data.phantom.shortcut={shortcut}", "evaluation=numbers")
    seeds = (f"data.phantom.seed={seed}", f"training.seed={seed}")
    ours.cxr(*phantoms, *_MODELS[model], *seeds, "audit=off", f"tracking.run_name={name}")

    def accuracy(turned: bool) -> float:
        other = ("data=phantom", f"data.phantom.seed={_OTHER_SEED + seed}", f"data.phantom.turned={str(turned).lower()}")
        ours.cxr("evaluate", name, *other, *phantoms)
        return ours.runs("tags.`cxr.role` = 'evaluation'")[0].metrics["external/accuracy"]

    return accuracy(turned=False), accuracy(turned=True)
