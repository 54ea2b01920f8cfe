"""Orders in which positions are revealed: their likelihoods, and how likely orders are found."""
