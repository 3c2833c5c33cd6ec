"""What the columns of somebody's own CSV are called, in English, German and Chinese."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from marketplace.domain.readings.formats.flows import Quality

# The first that fits decides. Latin words fit as whole words, Chinese ones anywhere.
ROLES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("quality", ("quality", "status", "flag", "qualität", "qualitaet", "质量", "状态", "标志")),
    ("minutes", ("minutes", "duration", "minuten", "dauer", "interval length", "分钟", "时长")),
    ("net", ("net", "netto", "saldo", "净")),
    ("generation", ("generation", "production", "erzeugung", "produktion", "pv", "发电")),
    (
        "export",
        (
            "export",
            "feed in",
            "feedin",
            "einspeisung",
            "rückspeisung",
            "rueckspeisung",
            "rücklieferung",
            "überschuss",
            "returned",
            "to grid",
            "上网",
            "反向",
            "馈网",
            "返送",
        ),
    ),
    (
        "import",
        (
            "import",
            "consumption",
            "consumed",
            "usage",
            "use",
            "bezug",
            "verbrauch",
            "netzbezug",
            "entnahme",
            "supply",
            "from grid",
            "load",
            "last",
            "用电",
            "正向",
            "购电",
            "下网",
        ),
    ),
    ("end", ("end", "to", "until", "bis", "ende", "endzeit", "结束", "截止")),
    ("start", ("start", "from", "begin", "von", "ab", "beginn", "startzeit", "开始", "起始")),
    ("time", ("timestamp", "datetime", "date time", "zeitstempel", "zeitpunkt", "时间", "时标")),
    ("date", ("date", "day", "datum", "tag", "日期")),
    ("clock", ("time", "hour", "uhrzeit", "zeit", "uhr", "时刻")),
    (
        "meter",
        (
            "meter",
            "meterid",
            "nmi",
            "mpan",
            "ean",
            "customer",
            "site",
            "device",
            "metering point",
            "zähler",
            "zaehler",
            "zählpunkt",
            "zaehlpunkt",
            "messlokation",
            "melo",
            "malo",
            "marktlokation",
            "户号",
            "表号",
            "电表",
            "计量点",
            "用户",
            "资产编号",
        ),
    ),
    ("value", ("value", "wert", "energy", "energie", "reading", "amount", "menge", "电量", "数值")),
)
REGISTER: Final = ("register", "zählerstand", "zaehlerstand", "stand", "cumulative", "counter")
REGISTER_CHINESE: Final = ("示数", "表底", "表码", "读数")
GAS: Final = ("gas", "erdgas", "m3", "m³", "therm", "therms", "ccf", "燃气", "天然气", "立方")
# Unit to the power of ten of Wh, and whether it is power.
UNITS: Final[dict[str, tuple[int, bool]]] = {
    "wh": (0, False),
    "kwh": (3, False),
    "mwh": (6, False),
    "千瓦时": (3, False),
    "度": (3, False),
    "w": (0, True),
    "kw": (3, True),
    "mw": (6, True),
    "千瓦": (3, True),
}
REACTIVE: Final = ("varh", "kvarh", "var", "kvar", "kvah", "reactive", "blind", "无功")
MEASURED_WORDS: Final = "a actual measured valid ok good w wahr gemessen true 0 实测 正常 有效"
ESTIMATED_WORDS: Final = "e estimated estimate geschätzt prognose forecast 估计 估算 预估"
SUBSTITUTED_WORDS: Final = "s f substituted substitute ersatzwert ersatz manual 替代 补录 人工"
MISSING_WORDS: Final = "n null missing invalid fehlend ungültig bad 缺失 无效"
QUALITIES: Final[dict[str, Quality | None]] = {
    **dict.fromkeys(MEASURED_WORDS.split(), Quality.MEASURED),
    **dict.fromkeys(ESTIMATED_WORDS.split(), Quality.ESTIMATED),
    **dict.fromkeys(SUBSTITUTED_WORDS.split(), Quality.SUBSTITUTED),
    **dict.fromkeys(MISSING_WORDS.split(), None),
}


class Heading(NamedTuple):
    """What the name of a column says; ``role`` is "" where it says nothing we know."""

    text: str
    role: str
    unit: str
    is_register: bool
    is_gas: bool
    is_reactive: bool


def heading_of(text: str) -> Heading:
    """Read a column's name."""
    plain = " ".join(re.sub(r"[^0-9a-z³äöüß\u4e00-\u9fff]+", " ", text.lower()).split())
    unit = next((unit for unit in UNITS if _fits(plain, unit)), "")
    is_register = any(_fits(plain, word) for word in REGISTER + REGISTER_CHINESE)
    fits = [role for role, words in ROLES if any(_fits(plain, each) for each in words)]
    if unit or is_register:
        # "Meter reading (kWh)" is a value of a meter, not its name.
        fits = [role for role in fits if role != "meter"] or ["value"]
    role = fits[0] if fits else ""
    return Heading(
        text,
        role,
        unit,
        is_register,
        any(_fits(plain, word) for word in GAS),
        any(_fits(plain, word) for word in REACTIVE),
    )


def encoding_of(head: bytes) -> str:
    """Return the encoding of a file by its first bytes: UTF-8, else the one with more known words.

    A wrong choice does no harm beyond a refusal: no meter has the name that comes of it.
    """
    whole_lines = head[: head.rfind(b"\n") + 1] or head
    try:
        whole_lines.decode("utf-8")
    except UnicodeDecodeError:
        return max(("cp1252", "gb18030"), key=lambda each: _known_words(whole_lines, each))
    return "utf-8"


def _known_words(text: bytes, encoding: str) -> int:
    plain = text.decode(encoding, errors="replace").lower()
    words = {word for _, words in ROLES for word in words}.union(QUALITIES, UNITS)
    return sum(plain.count(word) for word in words if not word.isascii())


def _fits(plain: str, word: str) -> bool:
    # 度 alone is a kWh, but the end of many other words. 千瓦时 stands before 千瓦 in the table.
    if word[0] >= "\u4e00" and word != "度":
        return word in plain
    return f" {word} " in f" {plain} "
