"""`cxr COMMAND`: each command parses its arguments, calls a room, and prints."""
