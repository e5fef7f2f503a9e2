"""What a provider is made of, and each of them."""
