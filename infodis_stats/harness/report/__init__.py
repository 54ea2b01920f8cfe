"""The report of an evaluation in the harness: its page, its figures, and the tables that only it and the command show."""
