//! Any bytes as a query: the answer reads well, is no longer than the client takes, and repeats
//! what was asked. Run it in `tests/fuzz` with `cargo fuzz run --fuzz-dir . dns_query -s none`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../dns_queries/check.rs"]
mod check;

fuzz_target!(|bytes: &[u8]| check::check(bytes));
