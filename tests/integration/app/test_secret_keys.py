"""Keys that all processes of a database share."""

from app.store import secret_keys
from app.store.database import open_database
from app.store.secret_keys import get_or_make


def test_a_key_is_made_once_and_is_the_same_for_everybody(database):
    other = open_database(database.url.render_as_string(hide_password=False))

    made = [get_or_make(each, "number_ids", 32) for each in (database, other, database)]
    other.dispose()

    assert made[0] == made[1] == made[2]
    assert len(made[0]) == 32
    assert get_or_make(database, "another", 16) != made[0][:16]


def test_of_two_that_make_it_at_the_same_moment_both_have_one(database, monkeypatch):
    write = secret_keys.write

    def others_are_quicker(engine, unit):
        monkeypatch.setattr(secret_keys, "write", write)
        get_or_make(database, "number_ids", 32)
        return write(engine, unit)

    monkeypatch.setattr(secret_keys, "write", others_are_quicker)

    assert get_or_make(database, "number_ids", 32) == get_or_make(database, "number_ids", 32)
