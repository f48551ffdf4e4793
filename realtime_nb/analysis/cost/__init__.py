"""What a session costs, by a dated table of prices, and what it would cost elsewhere."""
