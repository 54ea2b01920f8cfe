"""Study files of every kind, small enough for a test."""

SMALL_STUDY = """\
title = "A small study"
seed = 3
passes = [4, 8, 31]
replicates = 32
reference = "time-free"
estimators = ["time-integral", "time-integral(eps=0.2)", "time-free", "uniform-count+stratified", "exhaustive"]

[law]
kind = "markov-chain"
order = 1
alphabet = "ACGT"
seed = 5

[[targets]]
name = "short"
count = 4
length = 7
context = 2
seed = 1

[[targets]]
name = "shorter"
count = 3
length = 3
seed = 2
"""

SMALL_RATIO = """\
title = "Small pairs"
seed = 3
passes = [4, 8]
replicates = 32
reference = "decoupled time-free"
estimators = ["time-free", "uniform-count"]
contrasts = ["coupled", "decoupled"]

[law]
kind = "markov-chain"
order = 1
seed = 5

[[pairs]]
name = "one <b>substitution</b>"
count = 3
length = 6
context = 2
edit = "substitution"

[[pairs]]
name = "unrelated"
count = 3
length = 6
context = 2
edit = "unrelated"
"""

SMALL_FRONTIER = """\
kind = "frontier"
title = "A small frontier"
seed = 3
passes = [4, 8]
replicates = 8
estimators = ["time-free", "uniform-count+stratified", "chain", "block-chain", "time-integral"]
rivals = ["time-free", "uniform-count+stratified"]

[[subjects]]
name = "A <b>chain</b>"
law = { kind = "markov-chain", order = 1, seed = 5 }
targets = [
    { name = "short", count = 4, length = 6, context = 2, seed = 1 },
    { name = "long", count = 3, length = 16, seed = 2 },
]

[[subjects]]
name = "Two letters"
most_passes = 4
law = { kind = "table", alphabet = "AB", sequences = ["AABB", "ABAB", "BBBB"], probabilities = [0.5, 0.25, 0.25] }
targets = [{ name = "all", sequences = "support" }]
"""

SMALL_CALIBRATION = """\
kind = "calibration"
title = "Small <b>calibration</b>"
seed = 3
passes = [4, 8]
replicates = [1, 4]
draws = 40
estimators = ["uniform-count", "uniform-count+stratified", "exhaustive"]
intervals = ["auto", "student-t", "anytime"]
levels = [0.8, 0.95]
[[subjects]]
name = "A <b>chain</b>"
law = { kind = "markov-chain", order = 1, alphabet = "ACGT", seed = 5 }
targets = [{ name = "8", count = 3, length = 8, seed = 1 }]
[[subjects]]
name = "Three letters"
most_passes = 4
law = { kind = "markov-chain", order = 1, alphabet = "ABC", seed = 6 }
targets = [{ name = "2", count = 2, length = 2, seed = 1 }]
"""

SMALL_INFORMATION = """\
kind = "information"
title = "Small <b>information</b>"
seed = 3
passes = [4, 8]
replicates = 16
reference = "uniform-count+stratified"
estimators = [
    "time-integral",
    "uniform-count+stratified",
    "triangular",
    "score-entropy(uniform)",
    "score-entropy(absorbing,polynomial)+stratified",
    "marginal-score-entropy(uniform,polynomial)+stratified",
]
curves = { sequences = 64, passes = 8 }

[[subjects]]
name = "A <b>chain</b>"
law = { kind = "markov-chain", order = 1, alphabet = "ACGT", seed = 5 }
targets = [
    { name = "short", count = 3, length = 5, seed = 1 },
    { name = "long", count = 3, length = 11, seed = 1 },
]

[[subjects]]
name = "Hidden"
law = { kind = "hidden-markov", states = 2, alphabet = "AB", seed = 5 }
targets = [{ name = "25", count = 3, length = 25, seed = 1 }]
"""
