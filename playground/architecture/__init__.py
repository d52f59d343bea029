"""What a model is made of: stages, shapes, parameters, multiply-adds, receptive fields, and what they grow with."""
