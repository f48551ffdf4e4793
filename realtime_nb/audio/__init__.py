"""Sound as numbers: PCM16 and G.711, resampling, files, levels, and the probabilities of speech.

It knows the protocol's formats and nothing of where sound comes from. PCM16 mono bytes or float32
samples come in and go out.
"""
