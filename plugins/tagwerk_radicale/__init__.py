"""Radicale plugins and the Application subclass that put Radicale in front of Tagwerk."""
