//! How the file is laid out, in which version, and how an older version becomes the newest one.

use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior};

use super::checksum::checksum;
use super::failure::{Failure, Result};

/// By which the file is known as ours: "brdw".
const APPLICATION: i64 = 0x6272_6477;

/// The format that is written here.
pub(super) const NEWEST: i64 = 1;

/// Each brings a file from the version before to the next one; the first from nothing to 1.
pub(super) const STEPS: &[&str] = &[include_str!("format-1.sql")];

/// Makes the tables in an empty file, and new ones of old ones; each step in a transaction of its own.
/// Says whether there was any step to take.
pub(super) fn upgrade(connection: &mut Connection, steps: &[&str]) -> Result<bool> {
    let mut has_changed = false;
    loop {
        let taken = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = version(&taken, steps.len())?;
        let Some(step) = steps.get(found) else {
            taken.commit()?;
            return Ok(has_changed);
        };
        taken.execute_batch(step)?;
        if found == 0 {
            begin(&taken)?;
        }
        let next = pragma_number(found.saturating_add(1));
        let schema = schema(&taken)?;
        taken.execute("UPDATE meta SET format = ?1, schema = ?2", [next, schema])?;
        taken.pragma_update(None, "user_version", next)?;
        taken.commit()?;
        has_changed = true;
    }
}

/// Which version the file has; 0 if there is nothing in it.
pub(super) fn version(connection: &Connection, known: usize) -> Result<usize> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(tables, [], |row| row.get(0))?;
    if (application, version, tables) == (0, 0, 0) {
        return Ok(0);
    }
    let of_table = "SELECT format FROM meta";
    let of_table: Option<i64> = connection
        .query_row(of_table, [], |row| row.get(0))
        .optional()?;
    if application != APPLICATION || of_table != Some(version) {
        return Err(Failure::Damage("it is no store of this crate".to_owned()));
    }
    match usize::try_from(version) {
        Ok(version) if (1..=known).contains(&version) => Ok(version),
        Ok(version) if version > known => Err(too_new(version, known)),
        _ => Err(Failure::Damage(format!("it has format {version}"))),
    }
}

/// Sees that the tables and their constraints are what they were made as. Each name and condition is
/// text in the file, and one letter can make it another one that the engine takes as well.
pub(super) fn check(connection: &Connection) -> Result<()> {
    let made = "SELECT schema FROM meta";
    let made: i64 = connection.query_row(made, [], |row| row.get(0))?;
    match made == schema(connection)? {
        true => Ok(()),
        false => Err(Failure::Damage(
            "its tables are not as they were made".to_owned(),
        )),
    }
}

/// A number in the file's head says that it may only be read (fileformat2, §1.3.3), and nothing else
/// would show it before the first commit.
pub(super) fn see_that_it_can_be_written(connection: &Connection) -> Result<()> {
    let nothing = "UPDATE meta SET format = 0 WHERE format = 0";
    match connection.execute(nothing, []) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) => {
            Err(Failure::Damage("it can only be read".to_owned()))
        }
        done => Ok(done.map(|_| ())?),
    }
}

/// The checksum of all that says what tables there are, and what holds for them.
fn schema(connection: &Connection) -> Result<i64> {
    let parts = "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') \
                 FROM sqlite_schema ORDER BY type, name";
    let mut parts = connection.prepare(parts)?;
    let parts = parts.query_map([], |row| row.get::<_, String>(0))?;
    let parts = parts.collect::<rusqlite::Result<Vec<String>>>()?;
    let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
    Ok(checksum(&parts))
}

/// Why a file that was of the format that is known here is so no more.
pub(super) fn changed(connection: &Connection) -> Failure {
    match version(connection, STEPS.len()) {
        Err(failure) => failure,
        Ok(version) => Failure::Damage(format!("it has format {version}")),
    }
}

/// Revisions begin at random, so that one of another file is never taken for one of this.
fn begin(connection: &Connection) -> Result<()> {
    let chance = super::random().map_err(|error| Failure::Damage(error.to_string()))?;
    // 44 bits: a number that people can still read, and that is exact in JSON
    let first = i64::try_from(chance >> 20).unwrap_or(0);
    let meta =
        "INSERT INTO meta (one, format, schema, revision, forgotten) VALUES (1, 0, 0, ?1, ?1)";
    connection.execute(meta, [first])?;
    connection.pragma_update(None, "application_id", APPLICATION)?;
    Ok(())
}

fn too_new(found: usize, known: usize) -> Failure {
    let number = |version| u32::try_from(version).unwrap_or(u32::MAX);
    let (found, known) = (number(found), number(known));
    Failure::TooNew { found, known }
}

fn pragma_number(version: usize) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
