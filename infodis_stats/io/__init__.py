"""Input and output: files, stored studies, text records."""
