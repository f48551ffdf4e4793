"""realtime_nb."""
