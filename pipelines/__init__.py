"""The chain: selfies and a look go in, portraits come out. No web, no database."""
