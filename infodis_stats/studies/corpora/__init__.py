"""A kind of study: comparison of corpora."""
