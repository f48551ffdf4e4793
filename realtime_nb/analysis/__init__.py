"""What a recorded session says: tables, figures, findings, cost. Pure functions over the fold."""
