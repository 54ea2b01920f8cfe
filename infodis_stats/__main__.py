"""The command line as ``python -m infodis_stats``."""

import sys

from infodis_stats.cli import main

if __name__ == "__main__":
    sys.exit(main())
