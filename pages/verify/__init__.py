"""Where a picture is checked."""
