"""Floor 6: runs. ``run`` over captures; ``result`` what the Python API hands out."""
