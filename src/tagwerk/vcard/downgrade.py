"""From vCard 4.0 to 3.0 (RFC 2426, and what Apple's programs read in 3.0)."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

from tagwerk.contentline import escape
from tagwerk.vcard import media
from tagwerk.vcard.property import BINARY, RENAMED, Prop

_RENAMED = {new: old for old, new in RENAMED.items()}
_DATE = re.compile(r"(\d{4}|--)(\d\d)(\d\d)\Z")
_OFFSET = re.compile(r"([+-]\d\d):?(\d\d)?\Z")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+\Z")
_NO_YEAR = "1604"  # Apple's year for birthdays without one


def downgrade(props: list[Prop]) -> list[Prop]:
    """The properties of a card of vCard 4.0 as 3.0 writes them; `props` are changed in place."""
    out: list[Prop] = []
    preferred = _preferred(props)
    for prop in props:
        prop.name = _RENAMED.get(prop.key, prop.name)
        prop.set_types(prop.types())
        prop.params.pop("PREF", None)
        if any(prop is other for other in preferred.values()):
            prop.set_types([*prop.types(), "pref"])
        _DOWNGRADES.get(prop.key, _keep)(prop)
        out.append(prop)
        if prop.key == "ADR" and "LABEL" in prop.params:
            text = prop.take("LABEL")
            types = prop.params.get("TYPE")
            out.append(Prop(prop.group, "LABEL", escape(text), {"TYPE": list(types)} if types else {}))
        elif prop.key == "N" and "SORT-AS" in prop.params:
            out.append(Prop("", "SORT-STRING", escape(prop.take("SORT-AS"))))
    return _with_name(out)


def _keep(prop: Prop) -> None:
    """Both versions write it the same way."""


def _preferred(props: list[Prop]) -> dict[str, Prop]:
    """Of every property that is there with PREF, the one with the lowest (RFC 6350 5.3)."""
    best: dict[str, tuple[int, Prop]] = {}
    for prop in props:
        text = "".join(prop.params.get("PREF", ())[:1])
        if text.isascii() and text.isdigit():
            number = int(text[:4])
            if prop.key not in best or number < best[prop.key][0]:
                best[prop.key] = (number, prop)
    return {key: prop for key, (_, prop) in best.items()}


def _downgrade_binary(prop: Prop) -> None:
    media_type = prop.take("MEDIATYPE")
    found = media.from_data_uri(prop.value)
    if found is not None:
        media_type, prop.value = found
        prop.params.pop("VALUE", None)
        prop.params["ENCODING"] = ["b"]
    elif _URI.match(prop.value):
        prop.params["VALUE"] = ["uri"]
    if kind := media.kind(prop.key, media_type):
        prop.set_types([kind, *prop.types()])


def _downgrade_uid(prop: Prop) -> None:
    prop.params.pop("VALUE", None)


def _downgrade_geo(prop: Prop) -> None:
    if prop.value[:4].lower() == "geo:":
        place = prop.value[4:].partition(";")[0].split(",")
        if len(place) >= 2:
            prop.value = f"{place[0]};{place[1]}"


def _downgrade_zone(prop: Prop) -> None:
    match = _OFFSET.match(prop.value.strip())
    if match:
        prop.params.pop("VALUE", None)
        prop.value = f"{match.group(1)}:{match.group(2) or '00'}"
    else:
        prop.params.setdefault("VALUE", ["text"])


def _downgrade_phone(prop: Prop) -> None:
    """RFC 6350 6.4.1 prefers ``tel:`` URIs; 3.0 has only text."""
    if prop.value[:4].lower() == "tel:":
        prop.params.pop("VALUE", None)
        prop.value = escape(unquote(prop.value[4:]).replace(";ext=", " ext. "))


def _downgrade_date(prop: Prop) -> None:
    """RFC 2426 3.1.5, and Apple's way to write a birthday without its year."""
    if prop.take("VALUE").lower() == "text":
        prop.params["VALUE"] = ["text"]
        return
    date, separator, time = prop.value.strip().upper().partition("T")
    if match := _DATE.match(date):
        year, month, day = match.groups()
        if year == "--":
            prop.params["X-APPLE-OMIT-YEAR"] = [_NO_YEAR]
            year = _NO_YEAR
        prop.value = f"{year}-{month}-{day}{separator}{time}"


_DOWNGRADES: dict[str, Callable[[Prop], None]] = {
    "BDAY": _downgrade_date,
    "DEATHDATE": _downgrade_date,
    "GEO": _downgrade_geo,
    "TEL": _downgrade_phone,
    "TZ": _downgrade_zone,
    "UID": _downgrade_uid,
    "X-ANNIVERSARY": _downgrade_date,
    **dict.fromkeys(BINARY, _downgrade_binary),
}


def _with_name(props: list[Prop]) -> list[Prop]:
    """RFC 2426 3.1.2: N must be there; 4.0 has cards without it, of groups for example."""
    if any(prop.key == "N" for prop in props):
        return props
    names = [prop for prop in props if prop.key == "FN"]
    place = props.index(names[0]) + 1 if names else 0
    family = names[0].value if names else ""
    return [*props[:place], Prop("", "N", f"{family};;;;"), *props[place:]]
