"""What needs an accelerator: one script, run by `make gpu`."""
