"""Datasets of talking faces: built from folders of videos, written, read, packed. See docs/dataset.md."""
