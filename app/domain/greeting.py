"""What a message says. A template is checked once, then rendered for whole pages of customers. Pure."""

import string
import unicodedata
from collections.abc import Callable, Sequence

from app.errors import BadRequest

DEFAULT_TEMPLATE = "尊敬的手机号为{mobile}的{name}_{honorific}_你好，然后xxxxxx省...."
PLACEHOLDERS = ("mobile", "name", "honorific")
MAX_TEMPLATE_CHARACTERS = 2_000
"""Some thirty SMS; MySQL's TEXT would take 65,535 bytes, and a page of such messages is 20 million characters."""

MAN, WOMAN, UNKNOWN = "先生", "女士", "客户"
_BY_GENDER: dict[int | None, str] = {0: WOMAN, None: UNKNOWN}

Customer = tuple[int, str, str, int | None]
"""id, mobile, name, gender: 0 is a woman, None unknown, any other value a man."""


def honorific(gender: int | None) -> str:
    """How a customer of this gender is addressed."""
    return _BY_GENDER.get(gender, MAN)


def compile_template(template: str) -> Callable[[Sequence[Customer]], str]:
    """A function from customers to their messages, a line each, in the order given.

    `{mobile}`, `{name}` and `{honorific}` are filled in; `{{` and `}}` are braces; nothing else has a meaning.
    A line break in a value becomes a space, so that one message is one line. Raises BadRequest, for a control
    character (Unicode's category Cc) as well.
    """
    if len(template) > MAX_TEMPLATE_CHARACTERS:
        raise BadRequest("bad_template", f"模板太长,不能超过{MAX_TEMPLATE_CHARACTERS}个字符")
    if "\n" in template or "\r" in template:
        raise BadRequest("bad_template", "模板不能换行")
    if any(unicodedata.category(letter) == "Cc" for letter in template):
        raise BadRequest("bad_template", "模板不能含有控制字符")
    if any("\ud800" <= letter <= "\udfff" for letter in template):  # JSON may hold half a pair, UTF-8 may not
        raise BadRequest("bad_template", "模板不是有效的Unicode文本")
    line, order = _parse(template)
    line += "\n"
    address = _BY_GENDER.get
    pick = _picker(order)

    def render(customers: Sequence[Customer]) -> str:
        if pick is None:
            text = "".join([line % (mobile, name, address(gender, MAN)) for _, mobile, name, gender in customers])
        else:
            text = "".join([line % pick((mobile, name, address(g, MAN))) for _, mobile, name, g in customers])
        if text.count("\n") == len(customers) and "\r" not in text:
            return text
        return render([(number, _one_line(mobile), _one_line(name), g) for number, mobile, name, g in customers])

    return render


def _parse(template: str) -> tuple[str, list[int]]:
    """The template for the % operator, and which value each of its %s takes; nothing is left to look up by name."""
    pieces, order = [], []
    try:
        for literal, field, spec, conversion in string.Formatter().parse(template):
            pieces.append(literal.replace("%", "%%"))
            if field is None:
                continue
            if field not in PLACEHOLDERS or spec or conversion:
                known = " ".join(f"{{{each}}}" for each in PLACEHOLDERS)
                raise BadRequest("bad_template", f"模板里有未知的占位符,可用的有: {known}")
            pieces.append("%s")
            order.append(PLACEHOLDERS.index(field))
    except ValueError:  # a single brace
        raise BadRequest("bad_template", "模板里有单独的花括号,请写成 {{ 或 }}") from None
    return "".join(pieces), order


def _picker(order: Sequence[int]) -> Callable[[tuple[str, ...]], tuple[str, ...]] | None:
    """Puts the values in this order; None when they are in it, as in most templates, for it is done per customer."""
    if list(order) == list(range(len(PLACEHOLDERS))):
        return None
    return lambda values: tuple(values[index] for index in order)


def _one_line(value: str) -> str:
    return value.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")
