"""Reading image files: decoding, hashes, the cache of decoded images."""
