"""Laws: probability distributions of token sequences whose conditionals and likelihoods are exact."""

from infodis_stats.laws.code import CodeLaw
from infodis_stats.laws.hidden_markov import HiddenMarkov
from infodis_stats.laws.independent import IndependentLaw
from infodis_stats.laws.law import Law
from infodis_stats.laws.markov import MarkovChain
from infodis_stats.laws.table import TableLaw

__all__ = ["CodeLaw", "HiddenMarkov", "IndependentLaw", "Law", "MarkovChain", "TableLaw"]
