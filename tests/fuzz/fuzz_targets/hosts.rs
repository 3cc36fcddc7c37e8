//! Any bytes as a hosts file and as a `resolv.conf`: lines that are added are there once, and when
//! they go again, the file is as it was. Run it in `tests/fuzz` with
//! `cargo fuzz run --fuzz-dir . hosts -s none`.
#![no_main]

use bridgework::resolver::{ResolvConf, edit, nameservers};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let line = ["192.0.2.1\tadded-by-the-fuzzer".to_owned()];
    let is_there = |text: &[u8]| {
        let wanted = line[0].as_bytes();
        text.split(|&byte| byte == b'\n').filter(|found| *found == wanted).count()
    };
    if is_there(bytes) == 0 {
        let added = edit(bytes, &[], &line);
        assert_eq!(is_there(&added), 1);
        assert_eq!(edit(&added, &[], &line), added);
        assert_eq!(edit(&added, &line, &[]), bytes);
    }
    let text = String::from_utf8_lossy(bytes);
    nameservers(&text);
    // what was understood is understood the same again
    let conf = ResolvConf::parse(&text);
    assert_eq!(ResolvConf::parse(&conf.to_string()), conf);
});
