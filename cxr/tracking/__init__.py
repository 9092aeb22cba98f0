"""The only place that imports mlflow: the store and one run."""
