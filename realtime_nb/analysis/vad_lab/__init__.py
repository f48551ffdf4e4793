"""What a VAD lab computes of the user's audio and the events of a session, in their order."""
