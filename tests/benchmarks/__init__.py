"""Speed and memory, measured by `make bench`; nothing is asserted."""
