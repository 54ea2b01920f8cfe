"""Estimators from noised tokens: the score entropy of any noise."""
