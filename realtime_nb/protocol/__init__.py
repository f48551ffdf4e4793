"""The Realtime protocol, for both ends of the wire.

Pure code without sockets, clocks, threads or models: time is audio time, ids and speech
probabilities are handed in. Events come in; the conversation, events to send and things to do go
out.
"""
