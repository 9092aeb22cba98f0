"""Figures of evaluation, for a paper, the report and MLflow's viewer."""
