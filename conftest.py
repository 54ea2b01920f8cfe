"""What pytest leaves out where an optional package is absent."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("lm_eval") else ["infodis_stats/harness/language_model.py"]
