"""A live conversation over a transport: connecting, sending, receiving, and running functions.

A session drives the pure client protocol and knows nothing of widgets or analysis. Events come in
from the transport in one order; that order goes to the recorder, the fold and the observers.
"""
