"""What messages cost is told to the hundredth, and counted exactly."""

from decimal import Decimal

from app.domain.price import Price


def test_a_sum_is_exact_however_many_parts():
    price = Price(Decimal("0.035"), "CNY")

    assert price.of(2_600_000) == Decimal(91_000)
    assert (price.shown(2_600_001), price.each) == ("91,000.04 CNY", "0.035 CNY")


def test_a_price_may_have_no_currency_and_be_tiny():
    assert (Price(Decimal("1E-7")).each, Price(Decimal(2)).shown(1)) == ("0.0000001", "2.00")
