"""The tables of the kernel's database."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    text,
)

metadata = MetaData()

settings = Table(
    "settings",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("available_nc", Integer, nullable=False),
    Column("held_nc", Integer, nullable=False),
)

transfers = Table(
    "transfers",
    metadata,
    Column("id", String, primary_key=True),
    Column("at", Float, nullable=False),
    Column("kind", String, nullable=False),
    Column("amount_nc", Integer, nullable=False),
    Column("payer_id", String, nullable=False),
    Column("payee_id", String, nullable=False),
    Column("job_id", String),
)

agents = Table(
    "agents",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("key_hash", String, nullable=False),
    Column("key_hint", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("revoked_at", Float),
    Column("handler_set", String, nullable=False),
    Column("registered_at", Float),
    Column("last_seen_at", Float),
)

device_logins = Table(
    "device_logins",
    metadata,
    Column("device_code_hash", String, primary_key=True),
    Column("user_code", String, nullable=False),
    Column("client_name", String, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("interval", Integer, nullable=False),
    Column("status", String, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("agent_id", String, nullable=False),
    Column("account_id", String, nullable=False),
    Column("capability_key", String, nullable=False),
    Column("capability_spec_id", String, nullable=False),
    Column("price_nc", Integer, nullable=False),
    Column("payout_nc", Integer),
    Column("idempotency_key", String),
    Column("timeout_sec", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("bid_expires_at", Float, nullable=False),
    Column("completed_at", Float),
    Column("status", String, nullable=False),
    Column("error_code", String),
    Column("error_message", String),
)
Index("jobs_by_agent", jobs.c.agent_id, jobs.c.number)
Index("jobs_by_status", jobs.c.status, jobs.c.number)
Index(
    "jobs_by_idempotency",
    jobs.c.agent_id,
    jobs.c.idempotency_key,
    unique=True,
    sqlite_where=jobs.c.idempotency_key.is_not(None),
)
# only the open jobs stand in this one, so it stays small however many have ended
Index("jobs_open", jobs.c.number, sqlite_where=text("status IN ('bidding', 'running')"))

payloads = Table(
    "payloads",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("body", String, nullable=False),
    sqlite_with_rowid=False,
)

attempts = Table(
    "attempts",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("task_run_id", String, nullable=False),
    Column("agent_id", String, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("lease_expires_at", Float, nullable=False),
    Column("status", String, nullable=False),
    Column("ended_at", Float),
    Column("beats", Integer, nullable=False),
    Column("rejections", Integer, nullable=False),
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("id", String, nullable=False),
    Column("event_type", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("payload", String, nullable=False),
    sqlite_with_rowid=False,
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("account_id", String, primary_key=True),
    Column("url", String, nullable=False),
    Column("secret", String, nullable=False),
    Column("previous_secret", String),
    Column("previous_expires_at", Float),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("account_id", String, nullable=False),
    Column("job_id", String, nullable=False),
    Column("event", String, nullable=False),
    Column("url", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("next_try_at", Float),
    Column("status", String, nullable=False),
    Column("tries", String, nullable=False),
)
Index("deliveries_by_job", deliveries.c.job_id)
Index("deliveries_pending", deliveries.c.number, sqlite_where=text("status = 'pending'"))
