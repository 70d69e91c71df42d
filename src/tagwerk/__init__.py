"""Tagwerk: a CalDAV and CardDAV server on a real database, on top of Radicale."""

__version__ = "0.1.0"
