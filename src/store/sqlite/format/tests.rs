//! Files become the newest format, step by step, or stay as they are.

use rusqlite::Connection;

use super::{NEWEST, STEPS, check, upgrade, version};
use crate::store::sqlite::failure::Failure;

const NEXT: &str = "ALTER TABLE meta ADD COLUMN more INTEGER NOT NULL DEFAULT 7";
const BROKEN: &str = "ALTER TABLE meta ADD COLUMN other INTEGER; DROP TABLE nothing";

fn version_of(connection: &Connection) -> usize {
    version(connection, usize::MAX).expect("a version")
}

fn revision(connection: &Connection) -> i64 {
    let read = |row: &rusqlite::Row<'_>| row.get(0);
    connection
        .query_row("SELECT revision FROM meta", [], read)
        .expect("a revision")
}

#[test]
fn an_older_format_becomes_the_newest_and_keeps_what_is_in_it() {
    let mut file = Connection::open_in_memory().expect("the engine");
    assert_eq!(version_of(&file), 0);
    upgrade(&mut file, STEPS).expect("made");
    assert_eq!(usize::try_from(NEWEST), Ok(STEPS.len()));
    assert_eq!(version_of(&file), STEPS.len());
    let (before, steps) = (revision(&file), [STEPS, &[NEXT]].concat());
    upgrade(&mut file, &steps).expect("one step");
    upgrade(&mut file, &steps).expect("no step");
    assert_eq!(version_of(&file), steps.len());
    assert_eq!(revision(&file), before);
    file.execute("UPDATE meta SET more = 8", [])
        .expect("it has the column");
    check(&file).expect("its tables are known as they are now");
    file.execute_batch("DROP TRIGGER claim_is_free")
        .expect("dropped");
    check(&file).expect_err("they are others now");
}

#[test]
fn a_step_that_fails_leaves_the_format_before_it() {
    let mut file = Connection::open_in_memory().expect("the engine");
    let steps = [STEPS, &[NEXT, BROKEN]].concat();
    upgrade(&mut file, &steps).expect_err("the last step is broken");
    assert_eq!(version_of(&file), STEPS.len() + 1);
    let other = "UPDATE meta SET other = 1";
    assert!(file.execute(other, []).is_err(), "no part of it is done");
}

#[test]
fn a_newer_format_is_told_from_a_broken_number() {
    let mut file = Connection::open_in_memory().expect("the engine");
    upgrade(&mut file, STEPS).expect("made");
    file.pragma_update(None, "user_version", 9).expect("set");
    let broken = upgrade(&mut file, STEPS);
    assert!(matches!(broken, Err(Failure::Damage(_))), "{broken:?}");
    file.execute("UPDATE meta SET format = 9", []).expect("set");
    let newer = upgrade(&mut file, STEPS);
    assert!(
        matches!(newer, Err(Failure::TooNew { found: 9, known: 1 })),
        "{newer:?}"
    );
}
