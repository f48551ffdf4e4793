"""Where sound comes from and goes to: simulated devices, and the computer's own sound card.

A device knows neither sessions nor recordings. Microphone audio leaves through a callback with the
moment of its capture; the agent's audio comes in item by item, and reports of what was played go
out.
"""
