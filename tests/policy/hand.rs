//! What is done by hand, as an operator would: `ip`, and files of /proc/sys.

use std::io::Write;
use std::process::{Command, Stdio};

use bridgework::Netns;

/// Lines for `ip -batch`; panics with its own words if one fails.
pub fn ip(netns: &Netns, lines: &str) {
    let spawn = || {
        Command::new("ip")
            .args(["-batch", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    };
    let mut child = netns.run(spawn).expect("inside").expect("iproute2");
    let mut stdin = child.stdin.take().expect("piped");
    // one that says what is wrong may close its input early
    let _closed = stdin.write_all(lines.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("its end");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}\n{lines}");
}

/// Settings below `/proc/sys/net`.
pub fn set(netns: &Netns, settings: &[(&str, u8)]) {
    let write = || {
        for (key, value) in settings {
            let path = format!("/proc/sys/net/{key}");
            std::fs::write(&path, value.to_string()).unwrap_or_else(|e| panic!("{path}: {e}"));
        }
    };
    netns.run(write).expect("inside");
}
