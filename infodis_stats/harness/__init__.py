"""Inside lm-evaluation-harness: its tasks under diffusion models, with the noise of the masks beside its own numbers.

- `requests`, `tasks`: from the harness' requests to questions, and what its tasks make of likelihoods
- `language_model`: the model that the harness calls; `arguments`: what it takes; `scored`: what it has scored
- `processes`: several of them at once
- `ledger`: finished questions
- `task_data`: data sets of what was scored
- `accuracies`, `perplexities`: metrics of a task with the noise of the masks; `metrics`: what they share
- `extra_keys`: the same as further keys of the harness' results
- `table`: the harness' table with two more columns
- `groups`: the tasks of a group and their weights
- `comparison`, `likelihood_ratios`: two models on one task
- `report`: the page
"""
