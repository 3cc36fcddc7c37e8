//! Any bytes as what the kernel sends: they are read to an end, without a panic. Run it in
//! `tests/fuzz` with `cargo fuzz run --fuzz-dir . kernel -s none`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| bridgework::fuzz_netlink(bytes));
