"""Design of a study: grids, target sets, scenarios and reference values."""
