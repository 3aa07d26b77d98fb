-- The kernel's database. The columns carry the names of the records' fields (kernel/records.py).
-- Tables that keep their rowid are read in the order in which rows were added.
-- A job's parts name it by its number: its id, 28 characters long, is stored once.
-- Raise VERSION in store.py with every change that an older kernel cannot read.

CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE accounts (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  available_nc INTEGER NOT NULL,
  held_nc INTEGER NOT NULL
);

CREATE TABLE transfers (
  at REAL NOT NULL,
  kind TEXT NOT NULL,
  amount_nc INTEGER NOT NULL,
  payer_id TEXT NOT NULL,
  payee_id TEXT NOT NULL,
  job INTEGER
);

CREATE TABLE agents (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  name TEXT NOT NULL,
  key_hash TEXT NOT NULL,
  key_hint TEXT NOT NULL,
  created_at REAL NOT NULL,
  revoked_at REAL,
  handler_set TEXT NOT NULL,  -- JSON
  registered_at REAL,
  last_seen_at REAL
);

CREATE TABLE device_logins (
  device_code_hash TEXT PRIMARY KEY,
  user_code TEXT NOT NULL,
  client_name TEXT NOT NULL,
  expires_at REAL NOT NULL,
  interval INTEGER NOT NULL,
  last_poll_at REAL,
  status TEXT NOT NULL
);

CREATE TABLE jobs (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  agent_id TEXT NOT NULL,
  account_id TEXT NOT NULL,
  capability_key TEXT NOT NULL,
  price_nc INTEGER NOT NULL,
  idempotency_key TEXT,
  timeout_sec INTEGER NOT NULL,
  created_at REAL NOT NULL,
  expires_at REAL NOT NULL,
  bid_expires_at REAL NOT NULL,
  status TEXT NOT NULL,
  payout_nc INTEGER,
  error_code TEXT,
  error_message TEXT,
  completed_at REAL
);
CREATE INDEX jobs_by_agent ON jobs (agent_id, number);
CREATE UNIQUE INDEX jobs_by_idempotency ON jobs (agent_id, idempotency_key)
  WHERE idempotency_key IS NOT NULL;
-- Most jobs succeed, and those are found without an index; so this one stays small.
CREATE INDEX jobs_unsuccessful ON jobs (status, number) WHERE status <> 'succeeded';

CREATE TABLE payloads (
  job INTEGER NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,  -- JSON
  PRIMARY KEY (job, kind)
) WITHOUT ROWID;

CREATE TABLE attempts (
  job INTEGER NOT NULL,
  number INTEGER NOT NULL,
  task_run_id TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  started_at REAL NOT NULL,
  lease_expires_at REAL NOT NULL,
  status TEXT NOT NULL,
  ended_at REAL,
  heartbeats INTEGER NOT NULL,
  rejections INTEGER NOT NULL,
  PRIMARY KEY (job, number)
) WITHOUT ROWID;

CREATE TABLE events (
  job INTEGER NOT NULL,
  number INTEGER NOT NULL,
  event_type TEXT NOT NULL,
  created_at REAL NOT NULL,
  payload TEXT NOT NULL,  -- JSON
  PRIMARY KEY (job, number)
) WITHOUT ROWID;

CREATE TABLE strikes (
  job INTEGER NOT NULL,
  at REAL NOT NULL,
  endpoint TEXT NOT NULL,
  fault TEXT NOT NULL
);
CREATE INDEX strikes_by_job ON strikes (job);

CREATE TABLE webhooks (
  account_id TEXT PRIMARY KEY,
  url TEXT NOT NULL,
  secret TEXT NOT NULL,
  previous_secret TEXT,
  previous_expires_at REAL
);

CREATE TABLE deliveries (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  account_id TEXT NOT NULL,
  job_id TEXT NOT NULL,
  event TEXT NOT NULL,
  url TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at REAL NOT NULL,
  next_try_at REAL,
  status TEXT NOT NULL,
  tries TEXT NOT NULL  -- JSON
);
CREATE INDEX deliveries_by_job ON deliveries (job_id);
CREATE INDEX deliveries_pending ON deliveries (number) WHERE status = 'pending';
