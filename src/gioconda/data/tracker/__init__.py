"""The networks of the face tracker in use, and their card."""
