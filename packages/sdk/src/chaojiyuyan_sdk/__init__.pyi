"""The names of the SDK as a type checker sees them; at run time each is loaded on first use."""

from chaojiyuyan_cli.mcp_config import (
    DEFAULT_MCP_PATH as DEFAULT_MCP_PATH,
)
from chaojiyuyan_cli.mcp_config import (
    McpWriterError as McpWriterError,
)
from chaojiyuyan_cli.mcp_config import (
    WriteResult as WriteResult,
)
from chaojiyuyan_cli.mcp_config import (
    remove_hebing_mcp_entry as remove_hebing_mcp_entry,
)
from chaojiyuyan_cli.mcp_config import (
    write_hebing_mcp_entry as write_hebing_mcp_entry,
)
from chaojiyuyan_client import (
    AsyncJob as AsyncJob,
)
from chaojiyuyan_client import (
    AsyncNexusClient as AsyncNexusClient,
)
from chaojiyuyan_client import (
    HebingClient as HebingClient,
)
from chaojiyuyan_client import (
    Job as Job,
)
from chaojiyuyan_client import (
    NexusClient as NexusClient,
)
from chaojiyuyan_core.credentials import (
    CREDENTIALS_PATH as CREDENTIALS_PATH,
)
from chaojiyuyan_core.credentials import (
    clear_credentials as clear_credentials,
)
from chaojiyuyan_core.credentials import (
    load_credentials as load_credentials,
)
from chaojiyuyan_core.credentials import (
    save_credentials as save_credentials,
)
from chaojiyuyan_core.errors import (
    AuthenticationError as AuthenticationError,
)
from chaojiyuyan_core.errors import (
    BadRequestError as BadRequestError,
)
from chaojiyuyan_core.errors import (
    BidRejected as BidRejected,
)
from chaojiyuyan_core.errors import (
    CapabilityNotRegistered as CapabilityNotRegistered,
)
from chaojiyuyan_core.errors import (
    ConflictError as ConflictError,
)
from chaojiyuyan_core.errors import (
    CredentialsError as CredentialsError,
)
from chaojiyuyan_core.errors import (
    DeviceFlowError as DeviceFlowError,
)
from chaojiyuyan_core.errors import (
    DeviceFlowTimeout as DeviceFlowTimeout,
)
from chaojiyuyan_core.errors import (
    DownloadError as DownloadError,
)
from chaojiyuyan_core.errors import (
    HebingAPIError as HebingAPIError,
)
from chaojiyuyan_core.errors import (
    HebingError as HebingError,
)
from chaojiyuyan_core.errors import (
    JobFailed as JobFailed,
)
from chaojiyuyan_core.errors import (
    JobTimeout as JobTimeout,
)
from chaojiyuyan_core.errors import (
    LeaseExpired as LeaseExpired,
)
from chaojiyuyan_core.errors import (
    NonRetryableError as NonRetryableError,
)
from chaojiyuyan_core.errors import (
    NotFoundError as NotFoundError,
)
from chaojiyuyan_core.errors import (
    PermissionDeniedError as PermissionDeniedError,
)
from chaojiyuyan_core.errors import (
    RateLimitError as RateLimitError,
)
from chaojiyuyan_core.errors import (
    ResponseFormatError as ResponseFormatError,
)
from chaojiyuyan_core.errors import (
    ServerError as ServerError,
)
from chaojiyuyan_core.errors import (
    SubmitValidationFailed as SubmitValidationFailed,
)
from chaojiyuyan_core.errors import (
    TaskCancelled as TaskCancelled,
)
from chaojiyuyan_core.errors import (
    TaskRunNotFound as TaskRunNotFound,
)
from chaojiyuyan_core.errors import (
    UnprocessableError as UnprocessableError,
)
from chaojiyuyan_core.errors import (
    WebhookVerificationError as WebhookVerificationError,
)
from chaojiyuyan_core.errors import (
    WorkerError as WorkerError,
)
from chaojiyuyan_core.errors import (
    WorkerNotEnabled as WorkerNotEnabled,
)
from chaojiyuyan_core.models import TERMINAL_JOB_STATUSES as TERMINAL_JOB_STATUSES
from chaojiyuyan_core.webhooks import (
    sign_webhook as sign_webhook,
)
from chaojiyuyan_core.webhooks import (
    unwrap_webhook as unwrap_webhook,
)
from chaojiyuyan_core.webhooks import (
    verify_webhook_signature as verify_webhook_signature,
)
from chaojiyuyan_worker import (
    NexusWorker as NexusWorker,
)
from chaojiyuyan_worker import (
    TaskContext as TaskContext,
)
from chaojiyuyan_worker import (
    Worker as Worker,
)

from . import (
    cli as cli,
)
from . import (
    client as client,
)
from . import (
    credentials as credentials,
)
from . import (
    errors as errors,
)
from . import (
    mcp_server as mcp_server,
)
from . import (
    mcp_writer as mcp_writer,
)
from . import (
    schemas as schemas,
)
from . import (
    webhook as webhook,
)
from . import (
    worker as worker,
)
from ._version import __version__ as __version__
