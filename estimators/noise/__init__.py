"""Noise: the processes that act on every position by itself, and the schedules that set their speed."""
