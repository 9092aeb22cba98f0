"""What a result rests on: the table of stages, their fingerprints, and what has to be made again."""
