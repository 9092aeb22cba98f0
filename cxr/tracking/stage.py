"""The stage that a run has reached, as its own tag, because MLflow's status alone is not reliable."""

TAG = "cxr.stage"
STARTED = "started"  # config, data and environment are in the store
TRAINED = "trained"  # model and predictions are in the store: training is never repeated
ASSESSED = "assessed"  # so are the metrics
FINISHED = "finished"  # so is everything: written last

HOLDS_TRAINING = (TRAINED, ASSESSED, FINISHED)
