"""A task server after Swoole's model: event workers that stay responsive, task workers for long jobs."""

# in the order a request meets them
from engine.client import Client
from engine.errors import (
    BadFrameLength,
    EngineError,
    InboxFull,
    ProtocolError,
    SendBufferFull,
    SettingsError,
    StartError,
    TaskError,
    TaskFailed,
    TaskLost,
    TaskQueueFull,
    TaskTimeout,
    UnknownWorker,
    UsageError,
)
from engine.ipc.sysv_queue import ftok
from engine.server import Server
from engine.settings import IpcMode, Settings
from engine.stats import EventWorkerStats, Stats, TaskWorkerStats

__all__ = [
    "BadFrameLength",
    "Client",
    "EngineError",
    "EventWorkerStats",
    "InboxFull",
    "IpcMode",
    "ProtocolError",
    "SendBufferFull",
    "Server",
    "Settings",
    "SettingsError",
    "StartError",
    "Stats",
    "TaskError",
    "TaskFailed",
    "TaskLost",
    "TaskQueueFull",
    "TaskTimeout",
    "TaskWorkerStats",
    "UnknownWorker",
    "UsageError",
    "ftok",
]
