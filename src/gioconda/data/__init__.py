"""Numbers that come with the package."""
