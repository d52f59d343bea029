"""From pixels to tokens and on to meaning: what is computed about patches, positions and embeddings."""
