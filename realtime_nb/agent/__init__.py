"""The agent of a notebook: the only place where sessions and widgets meet.

It knows everything below it. Clicks, settings and microphone audio come in from the page or the
sound card on a thread of their own; a session's events and audio go back. Beside it, what keeps
many sessions at once.
"""
