"""The import surface that programs written for 0.4.0 rely on."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import chaojiyuyan_sdk

DOCUMENTED = """
    __version__ NexusClient HebingClient TERMINAL_JOB_STATUSES Worker NexusWorker TaskContext
    DEFAULT_MCP_PATH McpWriterError WriteResult write_hebing_mcp_entry remove_hebing_mcp_entry
    HebingError HebingAPIError DeviceFlowError DeviceFlowTimeout JobTimeout WorkerError
    WorkerNotEnabled CapabilityNotRegistered BidRejected TaskRunNotFound LeaseExpired
    SubmitValidationFailed CREDENTIALS_PATH load_credentials save_credentials clear_credentials
    verify_webhook_signature
""".split()

MODULES = {
    "client": (
        "DeviceFlowError DeviceFlowTimeout HebingAPIError HebingClient JobTimeout NexusClient "
        "SDK_VERSION TERMINAL_JOB_STATUSES load_credentials save_credentials"
    ),
    "worker": (
        "BidRejected CapabilityNotRegistered HebingAPIError LeaseExpired NexusWorker SDK_VERSION "
        "SubmitValidationFailed TERMINAL_JOB_STATUSES TaskContext TaskRunNotFound Worker "
        "WorkerNotEnabled load_credentials"
    ),
    "cli": (
        "EX_API_ERROR EX_NOT_IMPLEMENTED EX_OK EX_USER_ERROR HebingAPIError HebingError JobTimeout "
        "McpWriterError NexusClient clear_credentials load_credentials main "
        "remove_hebing_mcp_entry save_credentials write_hebing_mcp_entry"
    ),
    "errors": "HebingError HebingAPIError JobTimeout BidRejected",
    "credentials": "CREDENTIALS_DIR CREDENTIALS_PATH DEFAULT_PROFILE load_credentials",
    "webhook": "verify_webhook_signature",
    "schemas": "TaskInfo BidResult Artifact SubmitResult TERMINAL_JOB_STATUSES",
    "mcp_server": "HebingAPIError HebingError JobTimeout SDK_VERSION cli_main",
    "mcp_writer": "DEFAULT_SERVER_KEY DEFAULT_COMMAND DEFAULT_ARGS write_hebing_mcp_entry",
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_documented_name_imports(name: str) -> None:
    assert getattr(chaojiyuyan_sdk, name) is not None
    assert name in chaojiyuyan_sdk.__all__


@pytest.mark.parametrize("module", MODULES)
def test_a_module_path_of_0_4_0_imports_with_its_names(module: str) -> None:
    imported = importlib.import_module(f"chaojiyuyan_sdk.{module}")
    for name in MODULES[module].split():
        assert getattr(imported, name) is not None


def test_the_exit_codes_of_0_4_0() -> None:
    cli = importlib.import_module("chaojiyuyan_sdk.cli")
    codes = (cli.EX_OK, cli.EX_USER_ERROR, cli.EX_API_ERROR, cli.EX_NOT_IMPLEMENTED)
    assert codes == (0, 1, 2, 64)


@pytest.mark.parametrize("module", MODULES)
def test_a_submodule_is_an_attribute_of_the_package(module: str) -> None:
    code = f"import chaojiyuyan_sdk; print(chaojiyuyan_sdk.{module}.__name__)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert printed.stdout.strip() == f"chaojiyuyan_sdk.{module}", printed.stderr


def test_type_checkers_see_all_exported_names() -> None:
    source = Path(inspect.getfile(chaojiyuyan_sdk)).read_text(encoding="utf-8")
    checked = next(node for node in ast.parse(source).body if isinstance(node, ast.If))
    imported = {
        alias.name
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported | {"__version__"} == {*chaojiyuyan_sdk.__all__, *MODULES}
    assert set(chaojiyuyan_sdk.__all__) <= set(dir(chaojiyuyan_sdk))
    for name in chaojiyuyan_sdk.__all__:
        assert getattr(chaojiyuyan_sdk, name) is not None


def test_the_two_names_of_a_class_are_one_class() -> None:
    assert chaojiyuyan_sdk.HebingClient is chaojiyuyan_sdk.NexusClient
    assert chaojiyuyan_sdk.NexusWorker is chaojiyuyan_sdk.Worker


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'NexusClint'"):
        chaojiyuyan_sdk.NexusClint  # noqa: B018


def test_importing_the_package_loads_no_part_of_it() -> None:
    code = (
        "import sys; import chaojiyuyan_sdk; "
        "print([m for m in sys.modules if m.startswith(('chaojiyuyan_', 'httpx', 'click', 'mcp'))])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ast.literal_eval(printed.stdout) == ["chaojiyuyan_sdk._version", "chaojiyuyan_sdk"]


def test_a_star_import_imports_every_name() -> None:
    namespace: dict[str, object] = {}
    exec("from chaojiyuyan_sdk import *", namespace)
    assert set(DOCUMENTED) <= set(namespace)


def test_the_command_line_runs_by_its_old_module_path() -> None:
    argv = [sys.executable, "-m", "chaojiyuyan_sdk.cli", "version"]
    printed = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == f"chaojiyuyan-sdk {chaojiyuyan_sdk.__version__}"
