"""From vCard 3.0 to 4.0 (RFC 6350 appendix A)."""

from __future__ import annotations

import re
from collections.abc import Callable

from tagwerk.contentline import unescape
from tagwerk.vcard import media, quoted
from tagwerk.vcard.property import BINARY, DATES, RENAMED, Prop

_GENDERS = {"MALE": "M", "FEMALE": "F", "OTHER": "O", "NONE": "N", "UNKNOWN": "U"}
_GENDER = re.compile(r"[MFONU]?(;|\Z)", re.IGNORECASE)
_DATE = re.compile(r"(\d{4}|--)-?(\d\d)-?(\d\d)\Z")
_TIME = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?(Z|[+-]\d\d(?::?\d\d)?)?\Z")
_OFFSET = re.compile(r"([+-]\d\d):?(\d\d)?\Z")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+\Z")


def upgrade(props: list[Prop]) -> list[Prop]:
    """The properties of a card of vCard 3.0 as 4.0 writes them; `props` are changed in place."""
    out: list[Prop] = []
    for prop in props:
        if prop.key == "PROFILE":
            continue
        prop.name = RENAMED.get(prop.key, prop.name)
        _decode_quoted(prop)
        _upgrade_types(prop)
        _UPGRADES.get(prop.key, _keep)(prop)
        if prop.key in DATES:
            _upgrade_date(prop)
        out.append(prop)
    return _with_sort_as(_with_labels(out))


def _keep(prop: Prop) -> None:
    """Both versions write it the same way."""


def _decode_quoted(prop: Prop) -> None:
    """Some write quoted-printable and its charset into 3.0, which has dropped them."""
    charset = prop.take("CHARSET")
    if prop.params.get("ENCODING", [""])[0].upper() == "QUOTED-PRINTABLE":
        del prop.params["ENCODING"]
        prop.value = quoted.decode(prop.value, charset).replace("\r\n", "\\n").replace("\n", "\\n")


def _upgrade_types(prop: Prop) -> None:
    """RFC 6350 5.3: ``TYPE=pref`` is ``PREF=1``; ``TYPE=INTERNET`` says nothing any more."""
    types = prop.types()
    kept = [
        word for word in types if word.upper() != "PREF" and (prop.key, word.upper()) != ("EMAIL", "INTERNET")
    ]
    if len(kept) < len(types):
        if any(word.upper() == "PREF" for word in types):
            prop.params.setdefault("PREF", ["1"])
        prop.set_types(kept)


def _upgrade_binary(prop: Prop) -> None:
    """RFC 6350 6.2.4 and others: binary values are ``data:`` URIs, and a URI is the rule."""
    encoding = prop.take("ENCODING").upper()
    types = [word for word in prop.types() if word.upper() != "BASE64"]
    if encoding in ("B", "BASE64") or len(types) < len(prop.types()):
        prop.set_types(types[1:])
        prop.params.pop("VALUE", None)
        text = "".join(prop.value.split())
        prop.value = media.data_uri(media.media_type(prop.key, "".join(types[:1]), text), text)
    elif prop.params.get("VALUE", [""])[0].lower() in ("uri", "url"):
        del prop.params["VALUE"]
        if types:
            prop.set_types([])
            prop.params["MEDIATYPE"] = [media.media_type(prop.key, types[0])]


def _upgrade_uid(prop: Prop) -> None:
    """RFC 6350 6.7.6: a UID is a URI unless it says that it is text."""
    if not _URI.match(prop.value.strip()):
        prop.params["VALUE"] = ["text"]


def _upgrade_geo(prop: Prop) -> None:
    latitude, separator, longitude = prop.value.replace("\\;", ";").partition(";")
    if separator:
        prop.value = f"geo:{latitude.strip()},{longitude.strip()}"


def _upgrade_zone(prop: Prop) -> None:
    """RFC 6350 6.5.1: text unless it says that it is an offset."""
    match = _OFFSET.match(prop.value.strip())
    if match:
        prop.params["VALUE"] = ["utc-offset"]
        prop.value = match.group(1) + (match.group(2) or "")
    else:
        prop.params.pop("VALUE", None)


def _upgrade_gender(prop: Prop) -> None:
    """RFC 6350 6.2.7: a letter, and a text behind a semicolon."""
    if not _GENDER.match(prop.value):
        prop.value = _GENDERS.get(prop.value.strip().upper()) or f";{prop.value}"


def _upgrade_date(prop: Prop) -> None:
    """RFC 6350 4.3: dates have no hyphens, times no colons."""
    if prop.params.get("VALUE", [""])[0].lower() == "text":
        return
    prop.params.pop("VALUE", None)
    date, separator, time = prop.value.strip().upper().partition("T")
    omitted = prop.take("X-APPLE-OMIT-YEAR")
    match = _DATE.match(date)
    if match is None:
        if prop.value.strip():
            prop.params["VALUE"] = ["text"]
        return
    date = "".join(match.groups())
    if omitted and date.startswith(omitted):
        date = "--" + date[4:]
    if match := _TIME.match(time):
        hours, minutes, seconds, zone = match.groups()
        time = hours + minutes + (seconds or "00") + (zone or "").replace(":", "")
    prop.value = date + separator + time


_UPGRADES: dict[str, Callable[[Prop], None]] = {
    "GENDER": _upgrade_gender,
    "GEO": _upgrade_geo,
    "TZ": _upgrade_zone,
    "UID": _upgrade_uid,
    **dict.fromkeys(BINARY, _upgrade_binary),
}


def _with_labels(props: list[Prop]) -> list[Prop]:
    """RFC 6350 6.3.1: what LABEL said is a parameter of the next address of its type."""
    out = [prop for prop in props if prop.key != "LABEL"]
    unlabelled: dict[frozenset[str], list[Prop]] = {}
    for address in reversed(out):
        if address.key == "ADR" and "LABEL" not in address.params:
            unlabelled.setdefault(_type_set(address), []).append(address)
    for label in props:
        if label.key != "LABEL":
            continue
        of_type = unlabelled.get(_type_set(label))
        if of_type:
            address = of_type.pop()
        else:
            address = Prop(label.group, "ADR", ";;;;;;", label.params)
            out.append(address)
        address.params["LABEL"] = [unescape(label.value)]
    return out


def _type_set(prop: Prop) -> frozenset[str]:
    return frozenset(word.upper() for word in prop.types())


def _with_sort_as(props: list[Prop]) -> list[Prop]:
    """RFC 6350 5.9: SORT-STRING is a parameter of the name."""
    names = [prop for prop in props if prop.key == "N"]
    strings = [prop for prop in props if prop.key == "SORT-STRING"]
    if not names or not strings:
        return props
    names[0].params.setdefault("SORT-AS", [unescape(strings[0].value)])
    return [prop for prop in props if prop.key != "SORT-STRING"]
