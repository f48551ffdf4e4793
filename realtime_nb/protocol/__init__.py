"""The Realtime protocol, for both ends of the wire: pure code without sockets, clocks or models."""
