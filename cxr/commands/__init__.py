"""`cxr COMMAND`: thin, each on top of the rooms below."""
