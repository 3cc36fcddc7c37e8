//! Whether the claims in the file are those of its records, no more and no less.

use rusqlite::{Connection, Row};

use super::failure::{Failure, Result};
use super::read::Kept;
use crate::record::Claim;

/// Compares them with what `records` claim; it must be in the transaction that these are read in.
pub(super) fn check(connection: &Connection, records: &[Kept]) -> Result<()> {
    let claims = records.iter().flat_map(|kept| {
        let claims = kept.record.claims().into_iter();
        claims.map(|claim| (claim, kept.number))
    });
    let mut wanted: Vec<(Claim, i64)> = claims.collect();
    wanted.sort_unstable();
    let mut wanted = wanted.into_iter();
    let mut statement =
        connection.prepare("SELECT space, first, last, record FROM claim ORDER BY space, first")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match wanted.next() {
            Some(wanted) if is_same(row, &wanted)? => {}
            _ => return Err(not_of_its_record()),
        }
    }
    match wanted.next() {
        None => Ok(()),
        Some(_) => Err(not_of_its_record()),
    }
}

fn is_same(row: &Row<'_>, (claim, number): &(Claim, i64)) -> Result<bool> {
    let blob = |column: usize| {
        row.get_ref(column)?
            .as_blob()
            .map_err(rusqlite::Error::from)
    };
    let space = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
    Ok(space == claim.space.as_str()
        && blob(1)? == claim.first
        && blob(2)? == claim.last
        && row.get::<_, i64>(3)? == *number)
}

fn not_of_its_record() -> Failure {
    Failure::Damage("what is claimed is not what the records claim".to_owned())
}
