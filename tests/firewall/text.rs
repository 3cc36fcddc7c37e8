//! What is done by hand, as an operator would: `ip`, `nft` and files of /proc/sys inside a
//! namespace. It knows nothing of the crate under test but namespaces.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use bridgework::Netns;

/// What `program` prints inside the namespace, `input` being given to it; panics with its own
/// words if it fails.
pub fn run(netns: &Netns, program: &str, arguments: &[&str], input: &str) -> String {
    try_run(netns, program, arguments, input).unwrap_or_else(|error| panic!("{error}"))
}

/// As [`run`], with what it says if it fails.
pub fn try_run(
    netns: &Netns,
    program: &str,
    arguments: &[&str],
    input: &str,
) -> Result<String, String> {
    let child = netns.run(|| {
        Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    });
    let mut child = child
        .expect("inside the namespace")
        .unwrap_or_else(|error| panic!("{program}: {error}: it is needed here"));
    let mut stdin = child.stdin.take().expect("piped");
    // one that says what is wrong may close its input early
    let _closed = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("its end");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("utf-8");
    if output.status.success() {
        return Ok(text(output.stdout));
    }
    let words = text(output.stderr);
    Err(format!(
        "{program} {}: {input}\n{words}",
        arguments.join(" ")
    ))
}

/// Lines for `ip -batch`.
pub fn ip(netns: &Netns, lines: &str) {
    run(netns, "ip", &["-batch", "-"], lines);
}

/// A file for `nft -f`.
pub fn nft(netns: &Netns, file: &str) {
    run(netns, "nft", &["-f", "-"], file);
}

fn path(key: &str) -> String {
    format!("/proc/sys/net/{}", key.replace('.', "/"))
}

/// Sets the kernel setting `net.KEY`.
pub fn set_sysctl(netns: &Netns, key: &str, value: &str) {
    let written = netns.run(|| std::fs::write(path(key), value));
    written
        .expect("inside the namespace")
        .unwrap_or_else(|error| panic!("net.{key}={value}: {error}"));
}

pub fn has_sysctl(netns: &Netns, key: &str) -> bool {
    netns
        .run(|| Path::new(&path(key)).exists())
        .expect("inside")
}

/// The kernel setting `net.KEY`.
pub fn sysctl(netns: &Netns, key: &str) -> String {
    let read = netns.run(|| std::fs::read_to_string(path(key)));
    let text = read.expect("inside the namespace");
    text.unwrap_or_else(|error| panic!("net.{key}: {error}"))
        .trim()
        .to_owned()
}

/// All kernel settings below `net` but those that `leave_out` names, as `KEY=VALUE`.
pub fn sysctls(netns: &Netns, leave_out: impl Fn(&str) -> bool + Sync) -> Vec<String> {
    let mut found = netns
        .run(|| {
            let mut found = Vec::new();
            collect(Path::new("/proc/sys/net"), &leave_out, &mut found);
            found
        })
        .expect("inside the namespace");
    found.sort();
    found
}

fn collect(folder: &Path, leave_out: &impl Fn(&str) -> bool, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let key = path.to_string_lossy().into_owned();
        if leave_out(&key) {
            continue;
        }
        if path.is_dir() {
            collect(&path, leave_out, found);
        } else if let Ok(value) = std::fs::read_to_string(&path) {
            found.push(format!("{key}={}", value.trim()));
        }
    }
}
