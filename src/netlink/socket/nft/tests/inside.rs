//! A private namespace for a test of a library that forbids what a test binary may: the test calls
//! itself by way of `unshare`.

use std::io::Write;
use std::process::{Command, Stdio};

const INSIDE: &str = "BRIDGEWORK_TEST_INSIDE";

/// Runs `body` in a private network namespace. `name` is the test's own.
pub(super) fn inside(name: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let this = std::env::current_exe().expect("this program");
    let flags = if nix::unistd::geteuid().is_root() {
        "-n"
    } else {
        "-rn"
    };
    let status = Command::new("unshare")
        .arg(flags)
        .arg(this)
        .args(["--exact", "--nocapture", "--include-ignored"])
        .arg(format!("netlink::socket::nft::tests::{name}"))
        .env(INSIDE, "1")
        .status();
    assert!(status.expect("unshare, of util-linux").success());
}

/// What `nft ARGUMENTS` prints.
pub(super) fn nft(arguments: &str) -> String {
    // it puts its arguments together again, but for those before the command
    let (options, command) = match arguments.split_once(' ') {
        Some((option, command)) if option.starts_with('-') => (Some(option), command),
        _ => (None, arguments),
    };
    let output = Command::new("nft")
        .args(options)
        .arg(command)
        .output()
        .expect("nft, of nftables");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "nft {arguments}: {errors}");
    String::from_utf8(output.stdout).expect("utf-8")
}

/// Runs a command that reads `text`.
pub(super) fn feed(command: &str, text: &str) {
    let mut words = command.split_whitespace();
    let mut child = Command::new(words.next().expect("a command"))
        .args(words)
        .stdin(Stdio::piped())
        .spawn()
        .expect(command);
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(text.as_bytes()).expect("it reads");
    drop(input);
    assert!(child.wait().expect(command).success(), "{command}\n{text}");
}
