"""The Chinese catalogue: complete, compiled, and the check that says so."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation
from pytest_django import Settings

from config.management.commands import messages


def test_the_committed_catalogue_is_complete() -> None:
    call_command("messages", "--check", stdout=io.StringIO(), stderr=io.StringIO())


@pytest.fixture
def small_project(tmp_path: Path, settings: Settings) -> Path:
    settings.BASE_DIR = tmp_path
    settings.LOCALE_PATHS = [tmp_path / "config" / "locale"]
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "page.html").write_text(
        "{% load i18n %}\n    <p>\n  {% translate 'Sun' %}\n"
        "{% blocktranslate count n=2 trimmed %}\n {{ n }} roof\n{% plural %} {{ n }} roofs\n"
        "{% endblocktranslate %}</p>\n"
    )
    (folder / "code.py").write_text(
        "from django.utils.translation import gettext as _\nTEXT = _('Moon')\n"
    )
    return tmp_path


def check() -> str:
    err = io.StringIO()
    with pytest.raises(CommandError):
        call_command("messages", "--check", stdout=io.StringIO(), stderr=err)
    return err.getvalue()


def test_it_finds_templates_and_code(small_project: Path) -> None:
    found = {key for key, _name in messages.messages_of(small_project)}
    assert found == {
        ("Sun", None),
        ("Moon", None),
        (("%(n)s roof", "%(n)s roofs"), None),
    }


def test_missing_fuzzy_stale_and_broken_fail(small_project: Path) -> None:
    quiet = {"stdout": io.StringIO(), "stderr": io.StringIO()}
    assert "not in the catalogue: 'Sun'" in check()
    call_command("messages", **quiet)
    assert "not translated: 'Moon'" in check()
    po = small_project / "config/locale/zh_Hans/LC_MESSAGES/django.po"
    text = po.read_text()
    text = text.replace('msgid "Sun"\nmsgstr ""', 'msgid "Sun"\nmsgstr "日"')
    text = text.replace('msgid "Moon"\nmsgstr ""', '#, fuzzy\nmsgid "Moon"\nmsgstr "月"')
    text = text.replace('msgstr[0] ""', 'msgstr[0] "%(m)s 屋顶"')
    po.write_text(text)
    said = check()
    assert "fuzzy: 'Moon'" in said
    assert "django.mo is older" in said
    assert "placeholder" in said
    text = text.replace("#, fuzzy\n", "").replace("%(m)s", "%(n)s")
    po.write_text(text)
    call_command("messages", **quiet)
    call_command("messages", "--check", **quiet)
    (small_project / "config/code.py").write_text("")
    assert "no longer used: 'Moon'" in check()


def test_words_of_the_market_in_chinese() -> None:
    with translation.override("zh-hans"):
        assert translation.gettext("Clearing price") == "出清价"
        assert translation.gettext("feed-in tariff") == "上网电价"
        assert translation.gettext("retail tariff") == "零售电价"
