"""What a portrait changed of its sitter."""
