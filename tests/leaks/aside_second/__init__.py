"""A second set of planted leaks, written by someone who had read neither the checks nor the other leaks."""
