"""Laws: probability distributions of token sequences whose conditionals and likelihoods are exact."""

from infodis_stats.laws.hidden_markov import HiddenMarkov
from infodis_stats.laws.law import Law
from infodis_stats.laws.markov import MarkovChain
from infodis_stats.laws.table import TableLaw

__all__ = ["HiddenMarkov", "Law", "MarkovChain", "TableLaw"]
