"""Every feature that the engine has.  A new area of a standard is one module and one line here."""

from __future__ import annotations

from tagwerk.dav import (
    access_control,
    addressbook_query,
    caldav,
    calendar_query,
    calendarserver,
    carddav,
    copymove,
    freebusy_query,
    mkcol,
    multiget,
    objects,
    propfind,
    proppatch,
    report,
    sync,
    webdav,
)
from tagwerk.dav.registry import Feature

FEATURES: tuple[Feature, ...] = (
    webdav.feature,
    propfind.feature,
    proppatch.feature,
    mkcol.feature,
    copymove.feature,
    objects.feature,
    report.feature,
    access_control.feature,
    caldav.feature,
    calendar_query.feature,
    freebusy_query.feature,
    carddav.feature,
    addressbook_query.feature,
    multiget.feature,
    sync.feature,
    calendarserver.feature,
)
