"""A log that cannot be written for a while: its campaign waits, and goes on by itself."""

import re

from tests.integration.app.campaigns import with_tables
from tests.integration.app.people import crowd, expected_logs, logs_of, move_in
from tests.integration.app.serving import WITHIN_S, Product
from tests.waiting import until

CROWD = crowd(40)
WARNING = "shard broke down, trying again"


def test_a_campaign_whose_folder_is_taken_by_a_file_goes_on_once_the_file_is_gone(sqlite_url, tmp_path):
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path) as product:
        move_in(product.database, CROWD)
        product.start()
        obstacle = product.logs / "春节"
        obstacle.touch()
        product.ask("春节")
        until(lambda: product.said().count(WARNING) >= 2, within_s=WITHIN_S, what="it was tried twice")
        state = product.state("春节")

        obstacle.unlink()

        assert state == "running"
        assert product.wait_until_over("春节") == "finished"
        assert logs_of(product.logs, "春节") == expected_logs(CROWD, 500_000)
        lines = [line for line in product.said().splitlines() if WARNING in line]
        pauses = [float(each) for line in lines for each in re.findall(r"pause_s=(\S+)", line)]
        assert all(2.0**failures / 2 <= pause_s <= 2.0**failures for failures, pause_s in enumerate(pauses))
        assert all(f"error={obstacle} cannot be used for logs: File exists" in line for line in lines)
