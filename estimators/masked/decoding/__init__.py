"""Decoders: deterministic rules that reveal positions, and the likelihoods of what they write."""
