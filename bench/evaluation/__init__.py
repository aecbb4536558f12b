"""How a representation is judged: frozen features, computed once a split, for every evaluator."""
