"""See how vision transformers see: predictions, attention and patches of ViT, DETR, axial-attention and CoAtNet models."""
