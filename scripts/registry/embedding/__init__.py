"""Turn texts into vectors: the model, the engines that run it, and how well its vectors find things."""
