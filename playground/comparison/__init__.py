"""Several models on one picture: what each answers and costs, where they look, and where they disagree."""
