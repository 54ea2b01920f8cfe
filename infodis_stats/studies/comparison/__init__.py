"""A kind of study: comparison of estimators."""
