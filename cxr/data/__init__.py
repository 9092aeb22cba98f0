"""Where images come from, what is in them, who trains and who tests, how they reach the network."""
