"""Clips that say what they are: a signed statement in the file, a mark in the pixels, and the reading of both."""
