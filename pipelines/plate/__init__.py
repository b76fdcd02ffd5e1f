"""The sitter's own photograph, cut out and set into a look."""
