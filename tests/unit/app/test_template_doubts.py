"""app/domain/template_doubts.py: what a sender likely did not mean."""

import pytest

from app.domain.greeting import DEFAULT_TEMPLATE
from app.domain.template_doubts import Doubt, doubts


@pytest.mark.parametrize(
    "template", [DEFAULT_TEMPLATE, "{name}您好", "{{{name}}}", "{name}: {{}}", "｛{name}｝", "{{ {name} }}"]
)
def test_a_usual_template_raises_no_doubt(template):
    assert doubts(template) == []


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("您好", [Doubt.NO_PLACEHOLDER]),
        ("｛name｝您好", [Doubt.NO_PLACEHOLDER, Doubt.FULL_WIDTH_BRACES]),
        ("{mobile}的｛name｝您好", [Doubt.FULL_WIDTH_BRACES]),
        ("{mobile}的｛name}}您好", [Doubt.FULL_WIDTH_BRACES]),
        ("{{name}}您好", [Doubt.NO_PLACEHOLDER, Doubt.DOUBLED_BRACES]),
        ("{mobile}的{{name}}您好", [Doubt.DOUBLED_BRACES]),
        ("{{}}", [Doubt.NO_PLACEHOLDER]),
    ],
)
def test_what_is_likely_a_mistake_is_told(template, expected):
    assert doubts(template) == expected
