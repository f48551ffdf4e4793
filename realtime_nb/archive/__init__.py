"""The recording format: written while a session runs, read back, imported from other logs.

It knows events, audio and how both lie on disk, and never sees a session or a key. Events, audio
and reports come in from whoever drives a session; lines, samples and the fold of them go out.
"""
