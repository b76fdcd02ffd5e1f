"""Who made a picture, written into it and read back."""
