"""Portraits drawn from plate, pose map and faces, by whichever set of models."""
