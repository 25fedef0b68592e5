"""The server beside the demo provider, whose own log judges what was submitted."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.network_sender import BINDS, LESS_PATIENCE, Counter, Sender
from tests.integration.app.people import crowd, move_in
from tests.integration.app.providers import SID, Running, provider

TEXT = "尊敬的{honorific}，您好"
ACCOUNTS = {
    "aliyun": f'access_key_id = "{SID}"\nsignature = "云通知"\n',
    "tencent": f'secret_id = "{SID}"\napp_id = "1400006666"\nsignature = "云通知"\n',
    "twilio": f'account_sid = "{SID}"\nsource = "+15550001111"\n',
}
TEMPLATE = {
    "aliyun": f'[net.templates.hello]\ncode = "SMS_1"\ntext = "{TEXT}"\n',
    "tencent": f'[net.templates.hello]\ncode = "1110"\ntext = "{TEXT}"\n',
    "twilio": "",
}
ASKS_OFTEN = "import app.gateways.tencent.network as tencent\ntencent.ONE_BY_ONE_S = 3.0\n"


class CloudSender(Sender):
    """A server with one gateway, `net`, of the kind `kind`."""

    program = ("-c", ASKS_OFTEN + LESS_PATIENCE)
    provider: Running
    kind: str

    def use_provider(self, running: Running, folder: Path, kind: str, rate: int) -> None:
        """Send over it, so many parts a second. Before the start."""
        self.provider, self.kind = running, kind
        file = folder / "gateways.toml"
        file.write_text(
            f'[net]\nkind = "{kind}"\nsecret_env = "NET_SECRET"\nendpoint = "http://127.0.0.1:{running.port}"\n'
            f"binds = {BINDS}\nrate = {rate}\nanswer_timeout_s = 2\nreceipts_every_s = 0.3\n"
            f"{ACCOUNTS[kind]}{TEMPLATE[kind]}",
            encoding="utf-8",
        )
        self.environment |= {"SMS_GATEWAYS": str(file), "SMS_GATEWAY": "net", "NET_SECRET": "secret"}

    def begin(self, name: str) -> None:
        """Trigger a campaign."""
        what = {"template_name": "hello"} if TEMPLATE[self.kind] else {"template": TEXT}
        answer = json.loads(self.ask(json.dumps({"campaign": name, **what})))
        assert "tasks" in answer, answer

    def numbers(self) -> Counter[int]:
        """How often each number was taken, by the provider's log."""
        return Counter({int(number.removeprefix("+86")): count for number, count in self.provider.taken.items()})

    def promised(self) -> set[str]:
        """Numbers of which the provider knows what became of them."""
        return {str(number) for number in self.numbers()}


@contextmanager
def sending_by(kind: str, url: str, folder: Path, customers: int, rate: int, shards: int) -> Iterator[CloudSender]:
    """Started, with so many customers, and nothing sent."""
    with (
        provider(folder, SID) as running,
        CloudSender(url, folder, task_worker_num=4, shard_size=-(-customers // shards)) as sender,
    ):
        sender.use_provider(running, folder, kind, rate)
        move_in(sender.database, crowd(customers))
        sender.start()
        yield sender
