-- A store as format 1 was written, with the pragmas first.
PRAGMA application_id = 1651663991;
PRAGMA user_version = 1;
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
CREATE TABLE claim (
    space TEXT NOT NULL,
    first BLOB NOT NULL,
    last BLOB NOT NULL CHECK (first <= last),
    record INTEGER NOT NULL,
    PRIMARY KEY (space, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE gone (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    UNIQUE (kind, id)
) STRICT;
INSERT INTO meta VALUES (1,1,-2396699138010969696,8622380565958,8622380565953);
INSERT INTO record VALUES (2,'network','0101010101010101010101010101010101010101010101010101010101010101',8622380565955,-3813206893889754003,'{"body":{"network":{"spec":{"id":"0101010101010101010101010101010101010101010101010101010101010101","name":"web","driver":"bridge","origin":"custom","created":"2026-11-21T06:44:00.500000000Z","ipv4":{"subnet":"10.89.0.0/24","gateway":null,"range":null,"auxiliary":{}},"ipv6":null,"internal":"off","mtu":1500,"link":{"side":"host","name":"br-x","index":7},"mac":"02:42:00:00:00:01","bridge":{"stp":null,"ageing":null,"multicast_snooping":null,"forward_delay":null,"reserved_learning":null},"mac_policy":"random","hosts":"own","resolver":"containers","labels":{},"options":{"bridge_name":null,"icc":null,"masquerade":null,"host_binding":null,"inhibit_ipv4":null,"default_bridge":null,"gateway_mode_ipv4":null,"gateway_mode_ipv6":null,"trusted_host_interfaces":null,"mtu":null,"host_ipv4":null,"host_ipv6":null,"container_prefix":null,"enable_ipv4":null,"enable_ipv6":null,"internal":null,"of_driver":{}},"config_from":null,"firewall":"shared","config_only":"off"},"found":null}},"phase":"there","tenure":"kept","owner":1}');
INSERT INTO record VALUES (3,'container','0000000100000000000000000000000000000000000000000000000000000000',8622380565956,310160525944031203,'{"body":{"container":{"id":"0000000100000000000000000000000000000000000000000000000000000000","name":"db","hostname":"host","domain":null,"namespace":{"path":null,"identity":{"device":4,"inode":4026531841,"cookie":0}},"files":{"hosts":null,"resolv":null},"dns":{"servers":[],"search":[],"options":[]},"published":{"80/tcp":[{"host_address":"127.0.0.1","host_port":8080,"protocol":"tcp","container_port":80},{"host_address":"::","host_port":8080,"protocol":"tcp","container_port":80}]}}},"phase":"there","tenure":"kept","owner":1}');
INSERT INTO record VALUES (4,'reservation','0101010101010101010101010101010101010101010101010101010101010101/10.0.1.1',8622380565957,-2213445731027252291,'{"body":{"reservation":{"network":"0101010101010101010101010101010101010101010101010101010101010101","container":"db","address":"10.0.1.1"}},"phase":"there","tenure":"kept","owner":1}');
INSERT INTO claim VALUES ('container name',X'6462',X'6462',3);
INSERT INTO claim VALUES ('network name',X'776562',X'776562',2);
INSERT INTO claim VALUES ('port tcp 4 8080',X'7F000001',X'7F000001',3);
INSERT INTO claim VALUES ('port tcp 6 8080',X'00000000000000000000000000000000',X'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF',3);
INSERT INTO claim VALUES ('reservation 010101010101 4',X'0A000101',X'0A000101',4);
INSERT INTO claim VALUES ('subnet 4',X'0A590000',X'0A5900FF',2);
INSERT INTO gone VALUES (1,'reservation','0101010101010101010101010101010101010101010101010101010101010101/10.0.2.1',8622380565958);
CREATE INDEX record_revision ON record (revision);
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
CREATE INDEX gone_revision ON gone (revision);
