"""A kind of study: information."""
