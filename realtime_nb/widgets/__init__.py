"""What the notebook shows: each widget is a Python class and an ES module of the same stem."""
