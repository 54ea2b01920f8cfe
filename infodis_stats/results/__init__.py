"""Results: labelled data sets, error bars, validity and provenance."""
