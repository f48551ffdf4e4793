"""What the notebook shows: each widget is a Python class and an ES module of the same stem.

Widgets are given events and recordings and never see a session. Events come in from whoever
watches one; messages to the page, and what a person does there, go out.
"""
