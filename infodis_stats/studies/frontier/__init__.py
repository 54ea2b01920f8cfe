"""The kind of study that looks for the best estimator at every length and budget."""
