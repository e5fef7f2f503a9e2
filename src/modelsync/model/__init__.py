"""What a model is: immutable values, their fields and prices, and what a person may set them to."""
