"""Estimators of noised tokens: the score entropy of any noise."""
