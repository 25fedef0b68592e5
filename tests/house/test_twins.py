"""A document in Chinese and the one in English have the same headings, commands, tables, names and links."""

from pathlib import Path

import pytest

from tests.house import twins
from tests.house.documents import name_of
from tests.house.twins import CHINESE, differences, english_of

ENGLISH = """# A page

[中文](zh/page.md)

Run `serve`, see [other](other.md).

## Fields

| field | default | meaning |
| --- | --- | --- |
| `rate` | `10` | Parts a second, see SMS_PORT. |

```sh
python -m app serve    # until Ctrl-C
```

```text
$ python -m app preview
1 message
```
"""

CHINESE_TWIN = """# 一页

[English](../page.md) | 中文

运行 `serve`，见 [other](../other.md)。

## 字段

| 字段 | 默认值 | 含义 |
| --- | --- | --- |
| `rate` | `10` | 每秒条数，见 SMS_PORT。 |

```sh
python -m app serve    # 直到 Ctrl-C
```

```text
$ python -m app preview
1 条短信
```
"""


@pytest.mark.parametrize("chinese", CHINESE, ids=name_of)
def test_both_languages_say_the_same(chinese: Path) -> None:
    if found := differences(english_of(chinese), chinese):
        here, there = name_of(english_of(chinese)), name_of(chinese)
        pytest.fail(f"{here} and {there} differ; change both:\n" + "\n".join(found))


def test_there_are_documents_in_chinese() -> None:
    assert {name_of(each) for each in CHINESE} >= {"README.zh-CN.md", "docs/zh/operating.md", "docs/zh/gateways.md"}


@pytest.mark.parametrize(
    ("there", "instead", "said"),
    [
        ("", "", None),
        ("[English](../page.md) | ", "", "page.md has no link to page.md in its head"),
        ("## 字段", "### 字段", "headings differ from here on: ## Fields / ### 字段"),
        ("`rate`", "`rat`", '"Fields" / "字段": only the English one has the row `rate` of table 1'),
        ("`10`", "`11`", "only the Chinese one has the names in a row `rate` of table 1: `11` | "),
        ("SMS_PORT", "SMS_HOST", "only the English one has the name SMS_PORT"),
        ("`serve`", "`server`", '"A page" / "一页": only the Chinese one has the name `server`'),
        ("../other.md", "../page.md", "only the English one has the link to docs/other.md"),
        ("app preview", "app status", "only the Chinese one has the line of code text: $ python -m app status"),
        ("app serve ", "app web ", "only the English one has the line of code sh: python -m app serve"),
    ],
)
def test_what_differs_is_named(
    there: str, instead: str, said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    english, chinese = tmp_path / "docs" / "page.md", tmp_path / "docs" / "zh" / "page.md"
    chinese.parent.mkdir(parents=True)
    english.write_text(ENGLISH)
    assert there in CHINESE_TWIN
    chinese.write_text(CHINESE_TWIN.replace(there, instead, 1) if there else CHINESE_TWIN)
    monkeypatch.setattr(twins, "ROOT", tmp_path)
    monkeypatch.setattr(twins, "CHINESE", [chinese])

    found = differences(english, chinese)

    assert found == [] if said is None else any(said in each for each in found)
