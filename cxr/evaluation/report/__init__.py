"""The report of a run: one page, the same numbers as JSON, a model card and reporting checklists."""
