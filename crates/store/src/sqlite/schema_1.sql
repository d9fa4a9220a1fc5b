-- Format version 1. Read it with:  sqlite3 kapell.db 'select * from log'

-- One row per fleet: its present owner's epoch, and the end of its log as it was acknowledged last.
CREATE TABLE fleet (
    id       INTEGER PRIMARY KEY,
    name     TEXT    NOT NULL UNIQUE,
    epoch    INTEGER NOT NULL,  -- of the present owner; 0: never owned
    position INTEGER NOT NULL,  -- last position; 0: empty
    checksum INTEGER NOT NULL,  -- of the last record; of the name where the log is empty
    seal     INTEGER NOT NULL   -- CRC-32 of the other columns
) STRICT;

-- The log. Rows are only ever added.
CREATE TABLE record (
    fleet    INTEGER NOT NULL,
    position INTEGER NOT NULL,  -- 1, 2, 3, ... in each fleet
    epoch    INTEGER NOT NULL,  -- of the owner that wrote it
    at_ms    INTEGER NOT NULL,  -- milliseconds since 1970-01-01 UTC
    command  BLOB    NOT NULL,  -- UUID, 16 bytes
    actor    TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    body     TEXT    NOT NULL,  -- JSON
    checksum INTEGER NOT NULL,  -- high 32 bits: link to the record before; low 32 bits: CRC-32 of the body
    PRIMARY KEY (fleet, position)
) STRICT, WITHOUT ROWID;

-- A snapshot counts when its row is here; its parts are written before.
CREATE TABLE snapshot (
    fleet    INTEGER NOT NULL,
    position INTEGER NOT NULL,
    format   INTEGER NOT NULL,  -- version of the content
    size     INTEGER NOT NULL,  -- bytes in all parts
    checksum INTEGER NOT NULL,  -- CRC-32 of fleet name, position, format and content
    PRIMARY KEY (fleet, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshot_part (
    fleet    INTEGER NOT NULL,
    position INTEGER NOT NULL,
    part     INTEGER NOT NULL,  -- 0, 1, 2, ...
    content  BLOB    NOT NULL,
    PRIMARY KEY (fleet, position, part)
) STRICT;

CREATE TABLE document (
    name     TEXT    PRIMARY KEY,
    content  BLOB    NOT NULL,
    checksum INTEGER NOT NULL   -- CRC-32 of name and content
) STRICT;

-- For people.
CREATE VIEW log AS
SELECT fleet.name AS fleet,
       record.position,
       record.epoch,
       strftime('%Y-%m-%dT%H:%M:%fZ', record.at_ms / 1000.0, 'unixepoch') AS at,
       lower(hex(record.command)) AS command,
       record.actor,
       record.kind,
       record.body
FROM record JOIN fleet ON fleet.id = record.fleet
ORDER BY record.fleet, record.position;
