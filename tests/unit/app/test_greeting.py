"""What a message says, letter by letter."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.greeting import DEFAULT_TEMPLATE, PLACEHOLDERS, Placeholder, compile_template, honorific
from app.domain.people import People
from app.errors import BadRequest, UnknownPlaceholder
from tests.words import refused, words

texts = st.text(max_size=30) | st.text("a\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029\0", max_size=5)
genders = st.none() | st.integers(-128, 127)
customers = st.lists(st.tuples(st.integers(1), texts, texts, genders), max_size=5)


def render(template: str, mobile: str = "13800000000", name: str = "张伟", gender: int | None = 1) -> str:
    return compile_template(template).fill(People.of([(1, mobile, name, gender)]))


def test_the_default_message_is_the_tutorials_line_byte_for_byte():
    message = render(DEFAULT_TEMPLATE).encode()

    assert message == "尊敬的手机号为13800000000的张伟_先生_你好，然后xxxxxx省....\n".encode()


@pytest.mark.parametrize(
    ("gender", "title"), [(0, "女士"), (None, "客户"), (1, "先生"), (2, "先生"), (-1, "先生"), (127, "先生")]
)
def test_a_woman_is_nought_an_unknown_gender_null_and_everybody_else_a_man(gender, title):
    assert honorific(gender) == title
    assert render("{honorific}", gender=gender) == f"{title}\n"


def test_customers_are_greeted_in_the_order_given():
    assert compile_template("{name}").fill(People.of([(9, "", "九", 0), (1, "", "一", 0)])) == "九\n一\n"


def test_no_customers_are_no_text():
    assert compile_template(DEFAULT_TEMPLATE).fill(People.of([])) == ""


def test_a_template_without_placeholders_is_the_same_for_everybody():
    assert render("打烊了") == "打烊了\n"


def test_a_placeholder_may_stand_several_times_and_in_any_order():
    assert render("{name}{mobile}{name}", mobile="1", name="李") == "李1李\n"


def test_two_honorifics_keep_the_text_around_them():
    assert render("a{honorific}b{honorific}c{name}{honorific}", name="李", gender=0) == "a女士b女士c李女士\n"


def test_doubled_braces_are_braces():
    assert render("{{name}} {{{name}}} }}{{", name="李") == "{name} {李} }{\n"


def test_a_placeholder_is_one_line_in_the_table_a_column_and_what_is_made_of_it(monkeypatch):
    monkeypatch.setitem(PLACEHOLDERS, "surname", Placeholder(2, lambda name: f"{name[:1]}\n"))

    assert render("a{surname}b{name}c{surname}", name="欧阳") == "a欧 b欧阳c欧 \n"
    assert compile_template("{surname}{mobile}").addressee("李13800000000\n".encode()) == b"13800000000"


def test_what_is_made_of_a_mobile_does_not_tell_whose_message_it_is(monkeypatch):
    monkeypatch.setitem(PLACEHOLDERS, "tail", Placeholder(1, lambda mobile: mobile[-4:]))

    assert compile_template("{tail} {mobile}").addressee(b"0001 13800000001\n") == b"13800000001"


def test_what_a_customer_is_named_is_never_taken_for_a_template():
    assert render("{name}", name="{mobile} {0} {{ } %s \\n") == "{mobile} {0} {{ } %s \\n\n"


@pytest.mark.parametrize(
    "template",
    [
        "{id}",
        "{}",
        "{0}",
        "{ name }",
        "{name.__class__}",
        "{name[0]}",
        "{name!r}",
        "{name:>100000000}",
        "{name:{mobile}}",
    ],
)
def test_anything_but_the_placeholders_is_refused_with_all_of_them(template):
    known = re.escape(" ".join(f"{{{name}}}" for name in PLACEHOLDERS))
    with refused(BadRequest, match=known, language="zh") as refusal:
        compile_template(template)

    assert refusal.value.code == "bad_template"


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("尊敬的{town}您好", "{town}"),
        ("{name}{name!r}", "{name!r}"),
        ("{name:>9}", "{name:>9}"),
        (f"{{{'x' * 500}}}", "x" * 64 + "}"),
    ],
)
def test_the_placeholder_that_is_not_known_is_named(template, shown):
    with refused(BadRequest, match=f"未知的占位符.*{re.escape(shown)},", language="zh"):
        compile_template(template)


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("{", "{"),
        ("}", "}"),
        ("{name", "{name"),
        ("name}", "name}"),
        ("{name}}", "{name}}"),
        ("{{name}", "{{name}"),
        ("您好,我们非常尊敬的{mobile 先生,请您查收", "好,我们非常尊敬的{mobile 先"),
    ],
)
def test_a_brace_by_itself_is_refused_and_shown(template, shown):
    with pytest.raises(BadRequest) as refusal:
        compile_template(template)

    assert refusal.value.code == "bad_template"
    assert f"花括号: {shown[-17:]} ," in words(refusal.value, "zh")


@pytest.mark.parametrize("template", ["{name!}", "{name!xy}"])
def test_a_mark_that_is_cut_off_is_refused(template):
    with refused(BadRequest, match="占位符写错了", language="zh"):
        compile_template(template)


@pytest.mark.parametrize("template", ["你好\n{name}", "你好\r", "\r\n", "你\u2028好", "你好\u2029"])
def test_a_template_is_one_line(template):
    with refused(BadRequest, match="模板不能换行", language="zh"):
        compile_template(template)


@pytest.mark.parametrize("template", ["", " ", "\u3000 "])
def test_a_template_says_something(template):
    with refused(BadRequest, match="模板不能为空", language="zh"):
        compile_template(template)


@pytest.mark.parametrize("letter", ["\0", "\t", "\x0b", "\x1b", "\x1e", "\x7f", "\x85", "\x9f"])
def test_a_control_character_is_refused(letter):
    with refused(BadRequest, match="模板不能含有控制字符", language="zh") as refusal:
        compile_template(f"你好{letter}{{name}}")

    assert refusal.value.code == "bad_template"


@pytest.mark.parametrize("letter", [" ", "\xa0", "\u3000", "\u200d", "\ufeff"])
def test_an_invisible_character_that_is_no_control_is_kept(letter):
    assert render(f"好{letter}") == f"好{letter}\n"


def test_half_a_surrogate_pair_is_refused_because_it_cannot_be_written():
    with pytest.raises(BadRequest) as refusal:
        compile_template("{name}\ud842")

    assert refusal.value.code == "bad_template"


def test_a_template_as_long_as_a_book_is_refused():
    with pytest.raises(BadRequest) as refusal:
        compile_template("好" * 2001)

    assert refusal.value.code == "bad_template"


@pytest.mark.parametrize("line_break", ["\n", "\r", "\r\n", *"\v\f\x1c\x1d\x1e\x85\u2028\u2029"])
def test_a_line_break_in_a_value_becomes_a_space(line_break):
    assert render("{mobile}-{name}", mobile=f"1{line_break}2", name=f"张{line_break}伟") == "1 2-张 伟\n"


@given(customers)
def test_every_customer_is_one_line_whatever_the_values_hold(people):
    text = compile_template(DEFAULT_TEMPLATE).fill(People.of(people))

    assert len(text.splitlines()) == text.count("\n") == len(people)


@given(customers)
def test_a_page_is_its_customers_one_by_one(people):
    fill = compile_template(DEFAULT_TEMPLATE).fill

    assert fill(People.of(people)) == "".join(fill(People.of([each])) for each in people)


@given(st.text() | st.text(alphabet="{}!:.[]0name mobile"))
def test_a_template_renders_one_line_or_is_refused_whatever_it_is(template):
    try:
        fill = compile_template(template).fill
    except BadRequest:
        return

    assert len(fill(People.of([(1, "1", "张", 0), (2, "2", "李", None)])).splitlines()) == 2


def test_a_column_of_the_table_is_filled_in_where_it_is_known():
    template = compile_template("{city}:{name}{honorific}-{city}{since}", ["since", "city", "size"])

    assert template.columns == ("city", "since")
    assert template.fill(People.of([(1, "1", "李", 0, "上海", "2024"), (2, "2", "张", 1, "", "2\n5")])) == (
        "上海:李女士-上海2024\n:张先生-2 5\n"
    )


def test_an_unknown_column_is_refused_with_those_that_are_known():
    with refused(BadRequest, match=r"可用的有: \{mobile\} .*\{city\}$", language="zh") as refusal:
        compile_template("{town}", ["city", "name"])

    assert refusal.value.code == "bad_template"


@pytest.mark.parametrize(
    "template", ["{city.upper}", "{city[0]}", "{city!r}", "{city:>9}", "{city:}x{city!s}", "{a b}"]
)
def test_a_column_is_a_name_and_nothing_more(template):
    with pytest.raises(BadRequest):
        compile_template(template, ["city", "city.upper", "city[0]", "a b"])


@pytest.mark.parametrize(
    ("template", "meant"),
    [("{nmae}", "{name}"), ("{Honorific}", "{honorific}"), ("{name!r}", "{name}"), ("{ctiy}", "{city}"), ("{x}", None)],
)
def test_the_placeholder_that_may_be_meant_is_named(template, meant):
    with pytest.raises(UnknownPlaceholder) as caught:
        compile_template(template, ["city"])

    assert caught.value.sentence.facts.get("meant") == meant


def test_a_column_named_as_a_placeholder_does_not_stand_for_it():
    assert compile_template("{honorific}", ["honorific"]).fill(People.of([(1, "1", "李", 0)])) == "女士\n"
