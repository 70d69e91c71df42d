"""placeholder"""

from tagwerk.dav.registry import Feature

feature = Feature("RFC 4791 free-busy-query")
