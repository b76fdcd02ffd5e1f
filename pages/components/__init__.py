"""Controls that Gradio does not have, each a Python file and a script; they know no service."""
