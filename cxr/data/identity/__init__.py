"""Which images show the same thing: copies, near copies, patients, overlap of data sets."""
