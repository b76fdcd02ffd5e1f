"""What people see. Thin: lay out, wire, hold no logic."""
