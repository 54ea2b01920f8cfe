"""What pytest leaves out where an optional package is absent."""

from importlib.util import find_spec

NEEDS_LM_EVAL = ("evaluation", "installed", "language_model")

collect_ignore = [] if find_spec("lm_eval") else [f"infodis_stats/harness/{name}.py" for name in NEEDS_LM_EVAL]
