"""The `tagwerk` command."""
