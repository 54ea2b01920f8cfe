"""Input and output: atomic file writes (`files`), stored studies (`store`), text records to score (`records`)."""
