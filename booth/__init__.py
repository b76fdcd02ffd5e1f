"""A visit to the booth. No Gradio, no torch: everything here runs in a test."""
