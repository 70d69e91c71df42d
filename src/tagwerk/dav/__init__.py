"""WebDAV, CalDAV and CardDAV.  XML lives here and nowhere else."""
