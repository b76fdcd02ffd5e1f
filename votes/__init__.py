"""The room: rounds, guesses, tallies. No Gradio, no torch, no pictures."""
