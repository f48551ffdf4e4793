"""The command line, and what only it needs: talking without a screen, the doctor, benchmarks.

It knows everything below it. Arguments come in; lines of text or JSON and an exit code go out.
"""
