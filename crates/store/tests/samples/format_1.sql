-- A database of format version 1, as text (sqlite3 kapell.db .dump). It stays as it is: later versions must open it.
PRAGMA application_id = 0x4b61706c;
PRAGMA user_version = 1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE fleet (
    id       INTEGER PRIMARY KEY,
    name     TEXT    NOT NULL UNIQUE,
    epoch    INTEGER NOT NULL,  -- of the present owner; 0: never owned
    position INTEGER NOT NULL,  -- last position; 0: empty
    checksum INTEGER NOT NULL,  -- of the last record; of the name where the log is empty
    seal     INTEGER NOT NULL   -- CRC-32 of the other columns
) STRICT;
INSERT INTO fleet VALUES(1,'default',2,4,4204802587475715201,2652332232);
INSERT INTO fleet VALUES(2,'night',1,0,1286357784782176256,327912107);
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
INSERT INTO record VALUES(1,1,1,1790000000123,X'000102030405060708090a0b0c0d0e0f','admin','task_submitted','{"task":"T-1","title":"Write the overture"}',-8751596023825942750);
INSERT INTO record VALUES(1,2,1,1790000001123,X'101112131415161718191a1b1c1d1e1f','kapell','task_placed','{"task":"T-1","agent":"violin/1","score":0.75}',-5586211919480437338);
INSERT INTO record VALUES(1,3,1,1790000002123,X'202122232425262728292a2b2c2d2e2f','violin/1','task_progressed','{"task":"T-1","note":"d\u00e9j\u00e0 vu, 漢字, 🦀"}',-8609080387406543392);
INSERT INTO record VALUES(1,4,2,1790000004000,X'abababababababababababababababab','violin/1','task_finished','{"task":"T-1","result":"done"}',4204802587475715201);
CREATE TABLE snapshot (
    fleet    INTEGER NOT NULL,
    position INTEGER NOT NULL,
    format   INTEGER NOT NULL,  -- version of the content
    size     INTEGER NOT NULL,  -- bytes in all parts
    checksum INTEGER NOT NULL,  -- CRC-32 of fleet name, position, format and content
    PRIMARY KEY (fleet, position)
) STRICT, WITHOUT ROWID;
INSERT INTO snapshot VALUES(1,2,1,11,893215441);
INSERT INTO snapshot VALUES(1,4,1,24,3297945348);
CREATE TABLE snapshot_part (
    fleet    INTEGER NOT NULL,
    position INTEGER NOT NULL,
    part     INTEGER NOT NULL,  -- 0, 1, 2, ...
    content  BLOB    NOT NULL,
    PRIMARY KEY (fleet, position, part)
) STRICT;
INSERT INTO snapshot_part VALUES(1,2,0,X'7b227461736b73223a317d');
INSERT INTO snapshot_part VALUES(1,4,0,X'7b227461736b73223a312c2266696e6973686564223a317d');
CREATE TABLE document (
    name     TEXT    PRIMARY KEY,
    content  BLOB    NOT NULL,
    checksum INTEGER NOT NULL   -- CRC-32 of name and content
) STRICT;
INSERT INTO document VALUES('tokens',X'5b7b226964223a226b31222c22616363657373223a2261646d696e227d5d',3213946105);
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
COMMIT;
