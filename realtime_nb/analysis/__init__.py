"""What a recorded session says: tables, figures, findings, cost.

Pure functions over the fold and the audio of a recording, unaware of sessions and of pictures.
Values of the ``Recorded`` protocol come in; tables, numbers and sentences go out. No file is read
here, and none is written but by ``exports`` and ``clips``, where the caller says.
"""
