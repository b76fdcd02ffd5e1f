"""Untrusted bytes to a photo, a photo to a face, and whether it will do."""
