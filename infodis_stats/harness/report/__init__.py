"""The report of an evaluation in the harness: its page and figures, and tables that the command shows as well."""
