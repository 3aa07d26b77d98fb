from __future__ import annotations

import inspect
from typing import Any

import pytest

from chaojiyuyan_client import AsyncJob, AsyncNexusClient, HebingClient, Job, NexusClient

DUNDERS = {"__enter__": "__aenter__", "__exit__": "__aexit__"}
AT_ONCE = {"from_env", "with_options"}
LISTINGS = {"jobs", "job_events", "events", "follow", "map"}


def public(cls: type) -> dict[str, Any]:
    names = [name for name in dir(cls) if not name.startswith("_")]
    return {name: inspect.getattr_static(cls, name) for name in names if not hasattr(dict, name)}


def signature(cls: type, name: str) -> list[tuple[str, object, object]]:
    parameters = inspect.signature(getattr(cls, name)).parameters.values()
    return [
        (parameter.name, parameter.kind, parameter.default)
        for parameter in parameters
        if parameter.name != "self"
    ]


@pytest.mark.parametrize(("sync", "twin"), [(NexusClient, AsyncNexusClient), (Job, AsyncJob)])
def test_names_parameters_and_defaults_are_the_same(sync: type, twin: type) -> None:
    assert public(sync).keys() == public(twin).keys()
    assert signature(sync, "__init__") == signature(twin, "__init__")
    for name, member in public(sync).items():
        if callable(member) or isinstance(member, classmethod):
            assert signature(sync, name) == signature(twin, name), name
        else:
            assert type(member) is type(public(twin)[name]), name


@pytest.mark.parametrize("name", ["wait", "download"])
def test_a_job_method_has_the_clients_parameters(name: str) -> None:
    of_client = [each for each in signature(NexusClient, name) if each[0] != "job_id"]
    assert signature(Job, name) == of_client


@pytest.mark.parametrize("twin", [AsyncNexusClient, AsyncJob])
def test_methods_with_io_are_awaited_or_iterated(twin: type) -> None:
    for name, member in public(twin).items():
        function = getattr(twin, name)
        if not (callable(member) or isinstance(member, classmethod)) or name in AT_ONCE:
            continue
        if name in LISTINGS:
            returns = inspect.signature(function).return_annotation
            assert returns.startswith("AsyncIterator["), name
        else:
            assert inspect.iscoroutinefunction(function), name


def test_both_clients_are_context_managers() -> None:
    for sync, twin in DUNDERS.items():
        assert hasattr(NexusClient, sync)
        assert inspect.iscoroutinefunction(getattr(AsyncNexusClient, twin))


def test_the_earlier_name_is_the_same_class() -> None:
    assert HebingClient is NexusClient


def test_the_parameters_of_0_4_0_keep_their_positions() -> None:
    def names(name: str) -> list[str]:
        return [parameter for parameter, _, _ in signature(NexusClient, name)]

    assert names("__init__")[:3] == ["api_key", "base_url", "timeout"]
    assert names("call")[:5] == [
        *("capability_key", "input_payload", "idempotency_key"),
        *("timeout_sec", "channel_context"),
    ]
    assert names("wait")[:3] == ["job_id", "timeout", "poll_interval"]
    assert names("login_device_flow") == [
        *("base_url", "client_name", "timeout", "poll_interval", "print_fn", "save", "profile"),
    ]
