"""How good the pictures and the measures are; docs and thresholds come from here."""
