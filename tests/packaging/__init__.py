"""Checks of what is published: wheel and source distribution, installed where the repository is not."""
