//! What is in the file, as records; each is checked as it is read.

use rusqlite::{Connection, Row, params};

use super::checksum::checksum;
use super::connection::{VALUE_MAX, transaction};
use super::failure::{Failure, Result};
use super::{claims, format};
use crate::record::{Key, Record, Revision};
use crate::store::Changes;

/// What has changed since `since`.
pub(super) fn changes(connection: &Connection, since: Option<Revision>) -> Result<Changes> {
    if let Some(since) = since {
        let (revision, _) = revisions(connection)?;
        if revision == since {
            return Ok(Changes {
                revision,
                ..Changes::default()
            });
        }
    }
    transaction(connection, "BEGIN", |connection| view(connection, since))
}

/// The last revision, and that up to which it is forgotten what went.
fn revisions(connection: &Connection) -> Result<(Revision, Revision)> {
    let mut statement =
        connection.prepare_cached("SELECT revision, forgotten, format FROM meta")?;
    let found = statement.query_row([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]));
    let [last, forgotten, format] = found?;
    if format != format::NEWEST {
        return Err(format::changed(connection));
    }
    Ok((revision(last)?, revision(forgotten)?))
}

/// The last revision.
pub(super) fn last_revision(connection: &Connection) -> Result<Revision> {
    revisions(connection).map(|(last, _)| last)
}

pub(super) fn revision(number: i64) -> Result<Revision> {
    let number = u64::try_from(number);
    let number = number.map_err(|_| Failure::Damage("a revision is negative".to_owned()))?;
    Ok(Revision::new(number))
}

pub(super) fn number(revision: Revision) -> i64 {
    i64::try_from(revision.number()).unwrap_or(i64::MAX)
}

fn view(connection: &Connection, since: Option<Revision>) -> Result<Changes> {
    let (last, forgotten) = revisions(connection)?;
    let since = since.filter(|since| (forgotten..=last).contains(since));
    let records = records(connection, since.unwrap_or_default())?;
    Ok(Changes {
        revision: last,
        is_whole: since.is_none(),
        records: pairs(records),
        gone: match since {
            Some(since) => gone(connection, since)?,
            None => Vec::new(),
        },
    })
}

/// All that there is, if all of it is as it was written.
pub(super) fn checked(connection: &Connection) -> Result<Changes> {
    let wrong = |row: &Row<'_>| row.get::<_, String>(0);
    let said: String = connection.query_row("PRAGMA integrity_check(1)", [], wrong)?;
    if said != "ok" {
        return Err(Failure::Damage(said));
    }
    format::see_that_it_can_be_written(connection)?;
    transaction(connection, "BEGIN", |connection| {
        format::check(connection)?;
        let (revision, _) = revisions(connection)?;
        let records = records(connection, Revision::default())?;
        if records.iter().any(|kept| kept.at > revision) {
            return Err(Failure::Damage(
                "a record is of a later revision".to_owned(),
            ));
        }
        claims::check(connection, &records)?;
        // a key of a kind that is not known would be seen too late
        gone(connection, Revision::default())?;
        Ok(Changes {
            revision,
            is_whole: true,
            records: pairs(records),
            gone: Vec::new(),
        })
    })
}

fn pairs(records: Vec<Kept>) -> Vec<(Revision, Record)> {
    let pairs = records.into_iter().map(|kept| (kept.at, kept.record));
    pairs.collect()
}

/// A record with what the file knows of it.
pub(super) struct Kept {
    /// By which its claims are known to be its.
    pub(super) number: i64,
    at: Revision,
    pub(super) record: Record,
}

/// The records that have changed since `since`, in the order of their revisions; of one revision in that
/// of their keys.
fn records(connection: &Connection, since: Revision) -> Result<Vec<Kept>> {
    let mut statement = connection.prepare_cached(
        "SELECT kind, id, revision, checksum, value, number FROM record WHERE revision > ?1",
    )?;
    let mut rows = statement.query([number(since)])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(kept(row)?);
    }
    records.sort_by_cached_key(|kept| (kept.at, kept.record.key()));
    Ok(records)
}

fn kept(row: &Row<'_>) -> Result<Kept> {
    let text = |column: usize| {
        let found = row.get_ref(column)?;
        found.as_str().map_err(rusqlite::Error::from)
    };
    let (kind, id, value) = (text(0)?, text(1)?, text(4)?);
    let (at, sum): (i64, i64) = (row.get(2)?, row.get(3)?);
    let broken = |what: &str| Failure::Damage(format!("{kind}/{id} {what}"));
    if value.len() > VALUE_MAX {
        return Err(broken("is too large"));
    }
    if sum != sum_of(kind, id, at, value) {
        return Err(broken("is not as it was written"));
    }
    let record: Record =
        serde_json::from_str(value).map_err(|error| broken(&format!("is no record: {error}")))?;
    let key = record.key();
    if (key.kind(), key.id()) != (kind, id) {
        return Err(broken(&format!("is {key}")));
    }
    Ok(Kept {
        number: row.get(5)?,
        at: revision(at)?,
        record,
    })
}

/// What a record's checksum is of.
pub(super) fn sum_of(kind: &str, id: &str, revision: i64, value: &str) -> i64 {
    let revision = revision.to_le_bytes();
    checksum(&[kind.as_bytes(), id.as_bytes(), &revision, value.as_bytes()])
}

fn gone(connection: &Connection, since: Revision) -> Result<Vec<Key>> {
    let mut statement = connection
        .prepare_cached("SELECT kind, id FROM gone WHERE revision > ?1 ORDER BY kind, id")?;
    let mut rows = statement.query(params![number(since)])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        keys.push(key(row, 0)?);
    }
    Ok(keys)
}

/// The key in this column and the next one.
pub(super) fn key(row: &Row<'_>, column: usize) -> Result<Key> {
    let (kind, id): (String, String) = (row.get(column)?, row.get(column + 1)?);
    let unknown = || Failure::Damage(format!("{kind} is no kind of record"));
    Key::of_known_kind(&kind, id).ok_or_else(unknown)
}
