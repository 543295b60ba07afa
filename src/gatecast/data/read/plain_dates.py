"""Dates as people write them, brought to one spelling: weekdays, ordinals, spaces, and the units of CJK dates."""

from __future__ import annotations

import re

_WEEKDAYS = (
    r"mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun",  # English, with or without "day"
    r"(?:mo|diens|mitt?woch|donners|frei|sams|sonn)(?:tag)?|di|mi|do|fr|sa|so|sonnabend",  # German
    r"lun(?:di|es|edì)?|mar(?:di|tes|tedì)|mer(?:credi|coledì)?|jeu(?:di)?|ven(?:dredi|erdì)?|sam(?:edi)?|dim(?:anche)?",
    r"mi[ée]r(?:coles)?|jue(?:ves)?|vie(?:rnes)?|s[áa]b(?:ado|ato)?|dom(?:ingo|enica)?",
)
_LEADING = re.compile(rf"^(?:{'|'.join(_WEEKDAYS)})(?:day)?\b\.?,?\s+(?=\S*\d|[a-z]{{3,}}\.?\s+\d)", re.IGNORECASE)
_ENGLISH = re.compile(rf",?\s*\(?\b(?:{_WEEKDAYS[0]})(?:day)?\b\)?[.,]?", re.IGNORECASE)
_CJK_WEEKDAY = re.compile(
    r"\s*(?:[(\[（]\s*[월화수목금토일月火水木金土日]\s*[)\]）]|[월화수목금토일]요일|[月火水木金土日]曜日?"
    r"|(?:星期|周)[一二三四五六日天])"
)
_CJK_DATE = re.compile(r"(\d{4}|\d{2})\s*[년年]\s*(?:(\d{1,2})\s*[월月]\s*(?:(\d{1,2})\s*[일日号]?)?)?")
_CJK_QUARTER = re.compile(r"(\d{4})\s*[년年]?\s*(?:제|第)?\s*([1-4])\s*(?:분기|四半期|季度)")
_CJK_CLOCK = re.compile(r"(\d{1,2})\s*[시时時点點]\s*(?:(\d{1,2})\s*[분分]\s*(?:(\d{1,2})\s*[초秒])?)?")
_HALVES = {"오전": "AM", "오후": "PM", "上午": "AM", "下午": "PM", "午前": "AM", "午後": "PM"}
_HALF = re.compile(rf"({'|'.join(_HALVES)})\s*(\d{{1,2}}:\d{{2}}(?::\d{{2}})?)")
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b", re.IGNORECASE)
_MONTH_POINT = re.compile(r"\b(jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.(?=[\s,]|$)", re.IGNORECASE)
# Names of months in German, French, Spanish, Italian, Portuguese and Dutch, and their usual abbreviations.
_MONTHS = {
    "Jan": "januar jänner janvier janv enero ene gennaio gen janeiro januari",
    "Feb": "februar février fevrier févr fevr febrero febbraio fevereiro fev februari",
    "Mar": "märz maerz mär mrz mars marzo março marco maart mrt",
    "Apr": "avril avr abril abr aprile",
    "May": "mai mayo maggio mag maio mei",
    "Jun": "juni juin junio giugno giu junho",
    "Jul": "juli juillet juil julio luglio lug julho",
    "Aug": "août aout agosto ago augustus",
    "Sep": "septembre septiembre settembre set setembro",
    "Oct": "oktober okt octobre octubre ottobre ott outubro out",
    "Nov": "novembre noviembre novembro",
    "Dec": "dezember dez décembre decembre déc diciembre dic dicembre dezembro",
}
_ENGLISH_MONTH = {name: month for month, names in _MONTHS.items() for name in names.split()}
_MONTH_WORD = re.compile(rf"(?<![^\W\d_])({'|'.join(_ENGLISH_MONTH)})(?![^\W\d_])\.?", re.IGNORECASE)
_OF = re.compile(r"\s+(?:de|del|di)\s+", re.IGNORECASE)
_BEFORE_CLOCK = re.compile(r"[.,]?\s+(?=\d{1,2}:)")
_SPACED = re.compile(r"(?<=\d)([./-])\s+(?=\d)")


def plain_date(cell: str) -> str:
    """The date without weekday and ordinals, its parts in one spelling.

    Example:
        >>> plain_date("2024년 1월 24일 (수) 오후 3:05"), plain_date("2024. 01. 24."), plain_date("Wed Jan 24th 2024")
        ('2024-1-24 3:05 PM', '2024.01.24', 'Jan 24 2024')
    """
    text = _CJK_WEEKDAY.sub(" ", cell)
    text = _LEADING.sub("", text.strip())
    text = _ENGLISH.sub(" ", text) if re.search(r"\d", text) else text
    text = _CJK_QUARTER.sub(r"\1-Q\2", text)
    text = _CJK_DATE.sub(lambda match: "-".join(part for part in match.groups() if part) + " ", text)
    text = _CJK_CLOCK.sub(lambda match: f"{match[1]}:{match[2] or '00'}" + (f":{match[3]}" if match[3] else ""), text)
    text = _HALF.sub(lambda match: f"{match[2]} {_HALVES[match[1]]}", text)
    text = _MONTH_POINT.sub(r"\1", _ORDINAL.sub("", text))
    text = re.sub(r"\bSept\b", "Sep", text, flags=re.IGNORECASE)
    if any(sign.isalpha() for sign in text):
        text = _MONTH_WORD.sub(lambda match: _ENGLISH_MONTH[match[1].lower()], _OF.sub(" ", text))
    text = _SPACED.sub(r"\1", _BEFORE_CLOCK.sub(" ", text))
    return " ".join(text.split()).rstrip(".,").strip()
