"""Which column of a file is which of a table, by the names in its first line. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.greeting import is_placeholder
from app.errors import FileUnusable

_KNOWN = {
    "id": "id 编号 客户编号 客户id 会员编号 customer_id",
    "name": "name 姓名 名字 客户姓名 客户名称 full_name",
    "gender": "gender sex 性别 称谓 称呼 title",
    "mobile": "mobile phone 手机 手机号 手机号码 电话 电话号码 联系电话 移动电话 mobile_number phone_number",
}
"""Names, in small letters and with _ for what stands between words, of each column that an audience has."""
_COLUMN_OF = {name: column for column, names in _KNOWN.items() for name in names.split()}
MOST_OTHERS = 40
"""Columns besides these: of 255 letters each, MySQL has no rows for more than some 60."""
_LONGEST = 64
_OURS = frozenset({"created_at"})


@dataclass(frozen=True, slots=True)
class Columns:
    """`names`: of the table's columns, at the places of the file's."""

    header: tuple[str, ...]
    names: tuple[str, ...]

    def place(self, name: str) -> int | None:
        """Where it stands in the file."""
        return self.names.index(name) if name in self.names else None

    @property
    def others(self) -> list[str]:
        """Those besides id, name, gender and mobile."""
        return [each for each in self.names if each not in _KNOWN]


def read_header(path: object, fields: Sequence[str]) -> Columns:
    """Raises FileUnusable where a column is missing, stands twice or can have no name."""
    header = tuple(each.strip() for each in fields)
    plain = [re.sub(r"\W+", "_", each).strip("_") for each in header]
    names = tuple(_COLUMN_OF.get(each.lower(), each) for each in plain)
    shown = ", ".join(header)
    if missing := [each for each in ("name", "mobile") if each not in names]:
        raise FileUnusable("import.no_column", path=path, column=missing[0], header=shown)
    folded = [each.lower() for each in names]
    if twice := [each for each in folded if folded.count(each) > 1]:
        raise FileUnusable("import.column_twice", path=path, column=twice[0], header=shown)
    for name in names:
        if not is_placeholder(name) or len(name) > _LONGEST or name.lower() in _OURS:
            raise FileUnusable("import.bad_column", path=path, column=name, header=shown)
    if len(names) - len(_KNOWN) > MOST_OTHERS:
        raise FileUnusable("import.many_columns", path=path, most=MOST_OTHERS)
    return Columns(header, names)
