"""Every feature that the engine has.  A new area of a standard is one module and one line here."""

from __future__ import annotations

from tagwerk.dav import (
    access_control,
    add_member,
    addressbook_query,
    caldav,
    calendar_query,
    calendarserver,
    carddav,
    copymove,
    expand_property,
    freebusy_query,
    home_sync,
    mkcol,
    multiget,
    objects,
    principals,
    propfind,
    proppatch,
    quota,
    report,
    sync,
    timezones,
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
    add_member.feature,
    report.feature,
    access_control.feature,
    principals.feature,
    expand_property.feature,
    quota.feature,
    caldav.feature,
    calendar_query.feature,
    freebusy_query.feature,
    carddav.feature,
    addressbook_query.feature,
    multiget.feature,
    sync.feature,
    home_sync.feature,
    timezones.feature,
    calendarserver.feature,
)
