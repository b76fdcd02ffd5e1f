"""The room's phones."""
