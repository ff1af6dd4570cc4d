"""What may be concluded of recipes, given runs of each with several seeds."""
