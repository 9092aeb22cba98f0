"""What of a run trains and predicts: one network, or several heads side by side, and what training left in the store."""
