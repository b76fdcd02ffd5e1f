"""Speed, measured as ratios in one run. Nothing here asserts on a clock."""
