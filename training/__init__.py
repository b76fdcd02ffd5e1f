"""How the bundled mini set was trained. Imports the pipelines, never the reverse."""
