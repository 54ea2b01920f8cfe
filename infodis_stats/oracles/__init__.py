"""Oracles: probability laws whose conditionals and likelihoods are known exactly."""

from infodis_stats.oracles.hidden_markov import HiddenMarkov
from infodis_stats.oracles.law import Law
from infodis_stats.oracles.markov import MarkovChain
from infodis_stats.oracles.table import TableLaw

__all__ = ["HiddenMarkov", "Law", "MarkovChain", "TableLaw"]
