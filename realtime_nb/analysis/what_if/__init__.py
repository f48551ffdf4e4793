"""What other settings of turn detection would have done to recorded audio: which settings, what
they are measured by, their figures, and why a turn ended where it did."""
