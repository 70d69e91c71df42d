"""The ASGI application: bodies, limits, compression, well-known addresses."""
