"""The local Realtime server and the engines behind it: hearing, answering, speaking.

It knows the protocol's server side and audio, and nothing of clients. Connections of the protocol
come in on the loopback address; events and synthesised speech go out.
"""
