"""Who watches a campaign through a real server."""

import json

import psutil

from app.campaigns.control import control
from app.domain.campaign import Verb
from engine import Client
from tests.integration.app.campaigns import trigger
from tests.integration.app.people import crowd, move_in
from tests.integration.app.serving import WITHIN_S, Product, changed, frozen, in_small_pages
from tests.waiting import until


def lines_until_final(client: Client) -> list[dict]:
    lines = []
    while not lines or lines[-1]["state"] == "running":
        lines.append(json.loads(client.read_line()))
    return lines


def test_a_watcher_gets_a_line_at_each_change_and_a_final_one(server):
    with server.client() as client:
        with frozen(server.database):  # nothing is done before we watch
            client.send('{"campaign": "看着"}')
        client.read_line()
        client.send('{"campaign": "看着", "watch": true}')
        accepted = json.loads(client.read_line())
        lines = lines_until_final(client)

    sent = [each["sent"] for each in lines]
    assert accepted["ok"]
    assert sent == sorted(sent)
    assert (lines[-1]["state"], lines[-1]["sent"]) == ("finished", 40)
    assert all(task["finished"] and task["done"] == task["of"] == 10 for task in lines[-1]["tasks"])
    assert len(lines) == len({json.dumps(each) for each in lines})


def test_a_watcher_sees_a_large_campaign_on_its_way(migrated_url, tmp_path):
    everybody = crowd(60_000)

    with Product(migrated_url, tmp_path) as product:
        product.program = in_small_pages(2_000)
        move_in(product.database, everybody)
        product.start()
        with product.client() as client:
            client.send('{"campaign": "大的", "watch": true}')
            accepted = json.loads(client.read_line())
            lines = lines_until_final(client)

    assert accepted["created"]
    assert lines[-1]["sent"] == len(everybody)
    assert any(0 < each["sent"] < len(everybody) for each in lines)


def test_many_watch_one_campaign_and_all_see_its_end(server):
    clients = [server.client() for _ in range(10)]
    for client in clients:
        client.send('{"campaign": "大家看", "watch": true}')

    answers = [json.loads(client.read_line()) for client in clients]
    finals = [lines_until_final(client)[-1] for client in clients]

    for client in clients:
        client.close()
    assert sum(each["created"] for each in answers) == 1
    assert {(each["state"], each["sent"]) for each in finals} == {("finished", 40)}


def test_a_client_that_watches_may_go_on_asking(server):
    server.ask("以前的")
    server.wait_until_over("以前的")

    with server.client() as client:
        client.send('{"campaign": "边看边问", "watch": true}')
        first = json.loads(client.read_line())
        client.send('{"campaign": "以前的"}')
        awaited, answers = {"边看边问", "以前的"}, []
        while awaited:  # the end of the one may come before the answer to the other
            line = json.loads(client.read_line())
            if line["campaign"] == "以前的":
                answers.append(line["created"])
            if line["campaign"] == "以前的" or line["state"] == "finished":
                awaited.discard(line["campaign"])

    assert first["created"]
    assert answers == [False]


def test_watching_what_is_over_gives_the_final_line_at_once(server):
    server.ask("早已结束")
    server.wait_until_over("早已结束")

    with server.client() as client:
        client.send('{"campaign": "早已结束", "watch": true}')
        answer, final = json.loads(client.read_line()), json.loads(client.read_line())

    assert (answer["created"], final["state"], final["sent"]) == (False, "finished", 40)


def test_a_watcher_that_goes_away_disturbs_nobody(server):
    with server.client() as client:
        client.send('{"campaign": "走了", "watch": true}')
        client.read_line()

    assert server.wait_until_over("走了") == "finished"
    assert server.ask("走了") == "任务走了已存在,状态: finished"


def test_who_watches_a_paused_campaign_and_leaves_is_let_go_and_who_stays_is_not(migrated_url, tmp_path):
    with Product(migrated_url, tmp_path, shard_size=10) as product:
        product.program = changed("app.trigger.watchers", HEARTBEAT_S=0.2)
        move_in(product.database, crowd(40))
        trigger(product.database, "停着", 10)
        control(product.database, product.logs, "停着", Verb.PAUSE)
        product.start()
        watchers = [product.client() for _ in range(20)]
        for each in watchers:
            each.send('{"watch": "停着"}')
            each.read_line()
            each.read_line()  # with something unread it would be torn down, and not closed

        for each in watchers[1:]:
            each.close()

        until(lambda: len(connections_of(product)) == 1, within_s=WITHIN_S, what="who left is let go")
        product.run("resume", "停着")
        lines = [json.loads(watchers[0].read_line())]
        while lines[-1]["state"] != "finished":
            lines.append(json.loads(watchers[0].read_line()))
        watchers[0].close()
        assert [each["sent"] for each in lines if each["state"] == "finished"] == [40]


def connections_of(product: Product) -> list[object]:
    """The clients' ends of which the server has not let go."""
    assert product.server
    children = psutil.Process(product.server.pid).children()
    links = [link for each in children for link in each.net_connections("tcp")]
    return [link for link in links if link.raddr and link.laddr.port == product.port]
