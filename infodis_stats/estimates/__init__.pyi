from .log_ratio import estimate_log_ratio as estimate_log_ratio
from .model_log_ratio import estimate_model_log_ratio as estimate_model_log_ratio
from .nll import estimate_nll as estimate_nll
from .ranking import rank_candidates as rank_candidates
