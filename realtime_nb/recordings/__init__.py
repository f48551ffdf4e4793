"""Recordings as people use them: one, many, summarised, reported, replayed.

A facade over the archive, the analysis and the plots; only replaying opens a session. Paths come
in; tables, pictures, pages and new recordings go out.
"""
