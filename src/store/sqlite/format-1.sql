-- How often it was changed, and up to which change it is no longer known what went. In every format
-- there are the first three: the schema's checksum, and the number that is the user version, too.
CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    format INTEGER NOT NULL,
    schema INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    forgotten INTEGER NOT NULL
) STRICT;

CREATE TABLE record (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (kind, id)
) STRICT;
CREATE INDEX record_revision ON record (revision);

-- Of one space, no two overlap; so only the last one that begins before a new one ends can be in
-- its way.
CREATE TABLE claim (
    space TEXT NOT NULL,
    first BLOB NOT NULL,
    last BLOB NOT NULL CHECK (first <= last),
    record INTEGER NOT NULL,
    PRIMARY KEY (space, first)
) STRICT, WITHOUT ROWID;
CREATE INDEX claim_record ON claim (record);

CREATE TRIGGER claim_is_free BEFORE INSERT ON claim
WHEN NEW.first <= (
    SELECT last FROM claim
    WHERE space = NEW.space AND first <= NEW.last
    ORDER BY first DESC LIMIT 1
)
BEGIN
    SELECT RAISE(ABORT, 'taken');
END;
CREATE TRIGGER claim_has_record BEFORE INSERT ON claim
WHEN NOT EXISTS (SELECT 1 FROM record WHERE number = NEW.record)
BEGIN
    SELECT RAISE(ABORT, 'a claim of no record');
END;
CREATE TRIGGER claim_stays BEFORE UPDATE ON claim
BEGIN
    SELECT RAISE(ABORT, 'claims do not change');
END;
CREATE TRIGGER claim_goes AFTER DELETE ON record
BEGIN
    DELETE FROM claim WHERE record = OLD.number;
END;

-- Records that are gone, in the order in which they went.
CREATE TABLE gone (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    UNIQUE (kind, id)
) STRICT;
CREATE INDEX gone_revision ON gone (revision);
