"""Inference from results: decisions, averages, comparisons of variances."""
