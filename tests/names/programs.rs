//! Programs of containers, with the files that the container has.

use std::path::Path;
use std::process::{Command, Output};

use bridgework::Container;

use super::ground::Ground;

/// A program, and the package of Debian that has it.
pub struct Program(pub &'static str, pub &'static str);

pub const BUSYBOX: Program = Program("busybox", "busybox");
pub const DIG: Program = Program("dig", "dnsutils");
pub const GETENT: Program = Program("getent", "libc-bin");
pub const PYTHON: Program = Program("/usr/bin/python3", "python3");

/// What the container's files stand in the place of, and only the program sees.
const MOUNT: &str = r#"
mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/resolv.conf || exit 99
[ ! -e /etc/nsswitch.conf ] || mount --bind "$3" /etc/nsswitch.conf || exit 99
shift 3
exec "$@""#;

/// Runs it to its end, and gives what it has printed. Whether it succeeded is its own matter.
pub fn run(ground: &Ground, container: &Container, program: &Program, words: &[&str]) -> String {
    let Program(path, package) = program;
    assert!(is_there(path), "{path} is missing: install {package}");
    let switch = ground.path("nsswitch.conf");
    std::fs::write(&switch, "hosts: files dns\n").expect("written");
    let kept = |what: &str| ground.path(&format!("{}-{what}", container.name()));
    let run = || {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", MOUNT]);
        command.arg("sh").arg(kept("hosts")).arg(kept("resolv"));
        command.arg(&switch).arg(path).args(words);
        command.env_remove("LOCALDOMAIN").env_remove("RES_OPTIONS");
        command.output()
    };
    let output: Output = container.run(run).expect("inside").expect("unshare");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_ne!(output.status.code(), Some(99), "{errors}");
    assert_ne!(output.status.code(), Some(127), "{errors}");
    String::from_utf8(output.stdout).expect("utf-8")
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path);
    Path::new(program).is_absolute() && Path::new(program).exists()
        || folders.any(|folder| folder.join(program).exists())
}
