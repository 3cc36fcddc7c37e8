//! A change, brought into the file all or not at all.

use rusqlite::{Connection, OptionalExtension, params};

use super::connection::{VALUE_MAX, transaction};
use super::failure::{Failure, Result};
use super::{format, read};
use crate::record::{Claim, Key, Record, Revision};
use crate::store::{Change, Expected, StoreError};

/// How many keys are remembered that are gone.
const GONE_MAX: i64 = 10_000;

/// Performs `change`, and returns the revision that it has made.
pub(super) fn commit(connection: &Connection, change: &Change) -> Result<Revision> {
    if change.is_empty() {
        return read::last_revision(connection);
    }
    change.refuse_twice()?;
    let texts: Vec<String> = change
        .put
        .iter()
        .map(|(record, _)| text(record))
        .collect::<Result<_>>()?;
    transaction(connection, "BEGIN IMMEDIATE", |connection| {
        let revision = next_revision(connection)?;
        for (key, expected) in &change.delete {
            if take_out(connection, key, *expected)? {
                remember_gone(connection, key, revision)?;
            }
        }
        for (record, expected) in &change.put {
            take_out(connection, &record.key(), *expected)?;
        }
        for ((record, _), text) in change.put.iter().zip(&texts) {
            put(connection, record, text, revision)?;
        }
        read::revision(revision)
    })
}

fn text(record: &Record) -> Result<String> {
    let broken = |error: serde_json::Error| Failure::Damage(error.to_string());
    let text = serde_json::to_string(record).map_err(broken)?;
    if text.len() > VALUE_MAX {
        return Err(Failure::Refusal(StoreError::TooLarge {
            key: record.key(),
            size: text.len(),
            most: VALUE_MAX,
        }));
    }
    Ok(text)
}

/// A newer version may have made another format of the file meanwhile.
fn next_revision(connection: &Connection) -> Result<i64> {
    let mut statement = connection.prepare_cached(
        "UPDATE meta SET revision = revision + 1 WHERE format = ?1 RETURNING revision",
    )?;
    let next = statement.query_row([format::NEWEST], |row| row.get(0));
    next.optional()?.ok_or_else(|| format::changed(connection))
}

/// Takes out what is kept under that key, with its claims, if it is as expected; whether there was
/// anything.
fn take_out(connection: &Connection, key: &Key, expected: Expected) -> Result<bool> {
    let mut statement = connection
        .prepare_cached("DELETE FROM record WHERE kind = ?1 AND id = ?2 RETURNING revision")?;
    let found = statement.query_row([key.kind(), key.id()], |row| row.get(0));
    let found = found.optional()?.map(read::revision).transpose()?;
    match expected.is_met(found) {
        true => Ok(found.is_some()),
        false => Err(Failure::Refusal(StoreError::Overtaken { key: key.clone() })),
    }
}

/// Of those that are remembered, the oldest are forgotten, and it is known up to which revision.
fn remember_gone(connection: &Connection, key: &Key, revision: i64) -> Result<()> {
    let insert = "INSERT INTO gone (kind, id, revision) VALUES (?1, ?2, ?3)";
    let number =
        connection
            .prepare_cached(insert)?
            .insert(params![key.kind(), key.id(), revision])?;
    if number <= GONE_MAX {
        return Ok(());
    }
    let mut statement =
        connection.prepare_cached("DELETE FROM gone WHERE number <= ?1 RETURNING revision")?;
    let dropped = statement.query_map([number - GONE_MAX], |row| row.get::<_, i64>(0))?;
    let dropped = dropped.collect::<rusqlite::Result<Vec<i64>>>()?;
    if let Some(last) = dropped.into_iter().max() {
        let forget = "UPDATE meta SET forgotten = max(forgotten, ?1)";
        connection.prepare_cached(forget)?.execute([last])?;
    }
    Ok(())
}

fn put(connection: &Connection, record: &Record, text: &str, revision: i64) -> Result<()> {
    let key = record.key();
    let (kind, id) = (key.kind(), key.id());
    connection
        .prepare_cached("DELETE FROM gone WHERE kind = ?1 AND id = ?2")?
        .execute([kind, id])?;
    let insert = "INSERT INTO record (kind, id, revision, checksum, value) \
                  VALUES (?1, ?2, ?3, ?4, ?5)";
    let sum = read::sum_of(kind, id, revision, text);
    let number = connection
        .prepare_cached(insert)?
        .insert(params![kind, id, revision, sum, text])?;
    record
        .claims()
        .into_iter()
        .try_for_each(|claim| take(connection, claim, number))
}

/// The engine itself refuses what overlaps; then it is asked whose it is.
fn take(connection: &Connection, claim: Claim, record: i64) -> Result<()> {
    let insert = "INSERT INTO claim (space, first, last, record) VALUES (?1, ?2, ?3, ?4)";
    let mut insert = connection.prepare_cached(insert)?;
    let taken = insert.execute(params![
        claim.space.as_str(),
        claim.first,
        claim.last,
        record
    ]);
    match taken.map_err(Failure::from) {
        Ok(_) => Ok(()),
        Err(failure) if failure.is_constraint() => match holder(connection, &claim)? {
            Some(by) => Err(Failure::Refusal(StoreError::Claimed { claim, by })),
            None => Err(failure),
        },
        Err(failure) => Err(failure),
    }
}

fn holder(connection: &Connection, claim: &Claim) -> Result<Option<Key>> {
    let mut statement = connection.prepare_cached(
        "SELECT record.kind, record.id FROM claim JOIN record ON record.number = claim.record \
         WHERE space = ?1 AND first <= ?2 AND last >= ?3 ORDER BY first DESC LIMIT 1",
    )?;
    let mut rows = statement.query(params![claim.space.as_str(), claim.last, claim.first])?;
    rows.next()?.map(|row| read::key(row, 0)).transpose()
}
