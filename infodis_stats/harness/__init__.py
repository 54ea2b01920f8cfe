"""Inside lm-evaluation-harness: its tasks under diffusion models, with the noise of the masks beside its own numbers.

- `requests`: from the harness' requests to questions
- `language_model`: the model that the harness calls
"""
