"""Estimators of masked tokens: random plans of weighted masks."""
