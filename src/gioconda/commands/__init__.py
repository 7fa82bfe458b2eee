"""The commands, one module each: what it asks for (`add`), and what it does with the answers.

A module here parses, calls the library and prints; `gioconda.cli` gathers them. Modules import the
library inside their functions, so that `--help` and a mistyped option answer at once.
"""
