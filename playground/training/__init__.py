"""Training: data, tasks, recipes, one loop, evaluation; `python -m playground.training`. Nothing else imports it."""
