"""The local Realtime server and the engines behind it."""
