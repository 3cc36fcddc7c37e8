//! Any bytes as what a name server says: what is made of it for a client can be read, and is no
//! longer than that takes. Run it in `tests/fuzz` with
//! `cargo fuzz run --fuzz-dir . dns_reply -s none`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| bridgework::fuzz_dns_reply(bytes));
