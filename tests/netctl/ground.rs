//! A machine of a test's own with netctl on its path.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use bridgework::Netns;

pub use crate::lab::example::{Said, has};
use crate::lab::machine::{Folder, machine};

/// A private host, and a state directory.
pub struct Machine {
    pub netns: Netns,
    folder: Folder,
}

fn netctl() -> PathBuf {
    crate::lab::example::built("netctl")
}

impl Machine {
    pub fn new(name: &str) -> Self {
        let (netns, folder) = (machine(), Folder::new("netctl", name));
        let machine = Self { netns, folder };
        let (program, state) = (netctl(), machine.state());
        let script = format!(
            "#!/bin/sh\nexec {} --state {} \"$@\"\n",
            program.display(),
            state.display()
        );
        let path = machine.folder.join("netctl");
        fs::write(&path, script).expect("a script");
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&path, mode).expect("it can be run");
        machine
    }

    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// A command that is ready to run on this machine.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.folder.display()));
        command.stdin(Stdio::null());
        command
    }

    /// Runs `netctl` with these words.
    pub fn netctl(&self, words: &str) -> Said {
        let mut command = self.command(&self.folder.join("netctl").display().to_string());
        command.args(words.split_whitespace());
        let output = self.netns.run(|| command.output());
        Said::of(output.expect("inside").expect("it runs"))
    }

    /// As [`netctl`](Self::netctl), of what can't fail: its output without the last end of line.
    pub fn done(&self, words: &str) -> String {
        let said = self.netctl(words);
        assert_eq!(said.status, 0, "netctl {words}: {said:?}");
        said.out.trim_end().to_owned()
    }

    /// Begins `netctl` with these words.
    pub fn begin(&self, words: &str) -> Child {
        // not by the script: the process is netctl itself
        let mut command = self.command(&netctl().display().to_string());
        command.arg("--state").arg(self.state());
        command.args(words.split_whitespace());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.netns.run(|| command.spawn());
        child.expect("inside").expect("it begins")
    }

    /// All that a line of a shell prints on this machine.
    pub fn shell(&self, line: &str) -> String {
        // a line that waits for ever is cut off, and so prints something else
        let mut command = self.command("timeout");
        command
            .args(["20", "sh", "-c"])
            .arg(format!("exec 2>&1; {line}"));
        let output = self.netns.run(|| command.output());
        String::from_utf8(output.expect("inside").expect("sh runs").stdout).expect("text")
    }

    /// What `inspect` says of a container.
    pub fn inspect(&self, container: &str) -> serde_json::Value {
        let text = self.done(&format!("inspect {container}"));
        let shown: serde_json::Value = serde_json::from_str(&text).expect("json");
        shown[0].clone()
    }

    /// The process that answers names, if there is one.
    pub fn server(&self) -> Option<i64> {
        let text = fs::read(self.state().join("server.json")).ok()?;
        let process: serde_json::Value = serde_json::from_slice(&text).expect("json");
        process["pid"].as_i64()
    }

    /// The names of the links on the host's side.
    pub fn links(&self) -> Vec<String> {
        let snapshot = self.netns.snapshot().expect("a snapshot");
        snapshot.links.into_iter().map(|link| link.name).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let containers = self.netctl("ps -aq").out;
        let containers: Vec<&str> = containers.split_whitespace().collect();
        if !containers.is_empty() {
            self.netctl(&format!("rm -f {}", containers.join(" ")));
        }
        // a server that nobody needs any more ends by itself, and writes until then
        let deadline = Instant::now() + crate::lab::DEADLINE;
        while self.server().is_some() && Instant::now() < deadline {
            std::thread::yield_now();
        }
    }
}
