"""OAuth 2 (RFC 6749): pairs of build and parse functions, and the operations made of them."""
