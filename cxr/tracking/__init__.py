"""The store of runs. The only room that imports mlflow."""
