//! One connection to the engine: opened as it must be, and asked and told in transactions.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::failure::{Failure, Result};
use super::format;

/// The engine's files together are never larger, in bytes.
pub(super) const STORE_MAX: u64 = 1 << 30;
/// A record's text is never longer, in bytes.
pub(super) const VALUE_MAX: usize = 1 << 20;

const PAGE: u64 = 4096;
/// After so many pages the log is brought into the file.
const LOG_PAGES: i64 = 64;
/// The log is cut to this after a change that was larger, in bytes; it is kept at that, so that a full
/// disk has room for it.
const LOG_MAX: i64 = 512 * 1024;
const STATEMENTS: usize = 32;

/// Opens the file, which is there, and makes its tables what they are now.
pub(super) fn open(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(wait_a_little))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // one value with what stands beside it
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, 2 * VALUE_MAX as i32)?;
    for (config, is_on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        // whoever closes last would delete the log by its path, and another may be there by then
        (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
    ] {
        connection.set_db_config(config, is_on)?;
    }
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Failure::Damage(format!("it keeps no log but {mode}")));
    }
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_MAX)?;
    connection.pragma_update(None, "cell_size_check", "ON")?;
    connection.pragma_update(None, "max_page_count", (STORE_MAX / PAGE) as i64)?;
    if format::upgrade(&mut connection, format::STEPS)? {
        // so that no power cut makes of it one that never was
        shorten_log(&connection);
    }
    Ok(connection)
}

/// Brings the log into the file as far as others let it, so that it is written over from its start.
pub(super) fn shorten_log(connection: &Connection) {
    // what it could not do is seen by the commit that follows
    let _as_far_as_it_came =
        connection.pragma_query_value(None, "wal_checkpoint", |row| row.get::<_, i64>(0));
}

/// How long others are waited for: 10 s in all.
fn wait_a_little(times: i32) -> bool {
    // from 50 µs to 2 ms in six steps, and so on
    let pause = Duration::from_micros(50).saturating_mul(1 << times.clamp(0, 5));
    std::thread::sleep(pause.min(Duration::from_millis(2)));
    times < 5_000
}

/// Performs `work` all or not at all.
pub(super) fn transaction<T>(
    connection: &Connection,
    begin: &str,
    work: impl FnOnce(&Connection) -> Result<T>,
) -> Result<T> {
    let run = |statement: &str| connection.prepare_cached(statement)?.execute([]);
    run(begin)?;
    let done = work(connection).and_then(|done| {
        run("COMMIT")?;
        Ok(done)
    });
    if done.is_err() && !connection.is_autocommit() {
        // it fails where the engine has done it itself
        let _done_already = run("ROLLBACK");
    }
    done
}
