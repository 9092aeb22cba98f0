"""Figures of evaluation: for a paper, the report or MLflow's viewer."""
