"""A log that cannot be written for a while: its campaign waits, and goes on by itself."""

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
        until(lambda: WARNING in product.said(), within_s=WITHIN_S, what="it was tried")
        state = product.state("春节")

        obstacle.unlink()

        assert state == "running"
        assert product.wait_until_over("春节") == "finished"
        assert logs_of(product.logs, "春节") == expected_logs(CROWD, 500_000)
        (line,) = (line for line in product.said().splitlines() if WARNING in line)
        assert f"error={obstacle} cannot be used for logs: File exists" in line
