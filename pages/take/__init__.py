"""What a visitor takes home, on their own phone."""
