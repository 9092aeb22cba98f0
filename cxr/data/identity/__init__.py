"""The identity of images: copies, near copies, patients, overlap of data sets."""
