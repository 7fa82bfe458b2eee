"""`gioconda mark`: a local page on which a person shows where a face is."""
