"""How each version of the tables is made of the one before: `vN.py` for version N. Never changed later."""
