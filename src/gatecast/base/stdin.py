"""The name of standard input where a file is expected; alone here, since ``--help`` loads it."""

STDIN = "<stdin>"
