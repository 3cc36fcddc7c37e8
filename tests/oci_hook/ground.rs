//! A machine of a test's own with containers that are processes, and the hook as a runtime runs it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use bridgework::{Container, Netns};
use serde_json::{Value, json};

use crate::lab::example::{self, Said, built};
use crate::lab::machine::{Folder, global_addresses, kept, machine, sight};
use crate::lab::wait_until;

/// A private host, and a directory for records.
pub struct Machine {
    pub netns: Netns,
    folder: Folder,
    before: Vec<String>,
}

/// A container as a runtime has begun it: a process in a namespace.
pub struct Begun {
    pub id: String,
    process: Child,
    pub container: Container,
}

impl Machine {
    pub fn new(name: &str) -> Self {
        let (netns, folder) = (machine(), Folder::new("oci", name));
        let before = sight(&netns);
        Self {
            netns,
            folder,
            before,
        }
    }

    pub fn records(&self) -> PathBuf {
        self.folder.join("records")
    }

    fn command(&self, phase: &str) -> Command {
        let mut command = Command::new(built("oci_hook"));
        command.arg(phase).arg(self.records());
        // of the environment there is what `config.json` lists
        command.env_clear();
        command
    }

    pub fn hook(&self, phase: &str, state: &Value) -> Said {
        self.hook_raw(phase, state.to_string().as_bytes())
    }

    pub fn hook_raw(&self, phase: &str, stdin: &[u8]) -> Said {
        example::run(&self.netns, self.command(phase), stdin)
    }

    pub fn begin(&self, phase: &str, state: &Value) -> Child {
        let stdin = state.to_string();
        example::begin(&self.netns, self.command(phase), stdin.as_bytes())
    }

    /// What can't fail: it says nothing.
    pub fn done(&self, phase: &str, state: &Value) {
        let said = self.hook(phase, state);
        let nothing = (0, "", "");
        assert_eq!((said.status, &*said.out, &*said.err), nothing, "{state}");
    }

    /// The words of a refusal.
    pub fn refused(&self, phase: &str, state: &Value) -> String {
        let said = self.hook(phase, state);
        assert_eq!((said.status, &*said.out), (1, ""), "{state}: {said:?}");
        assert!(said.err.starts_with("oci_hook: "), "{said:?}");
        said.err
    }

    /// Waits until nothing is left: links go in the kernel's own time.
    pub fn assert_clean(&self) {
        assert_eq!(self.kept(), 0, "records are left");
        wait_until("the machine is as it was", || {
            let mut left = sight(&self.netns);
            left.retain(|line| !self.before.contains(line));
            left.is_empty()
        });
    }

    /// How many networks, containers and endpoints are in the records.
    pub fn kept(&self) -> usize {
        kept(&self.records()).len()
    }
}

impl Begun {
    pub fn new(id: &str) -> Self {
        let netns = Netns::create().expect("a namespace");
        let begin = || {
            Command::new("sleep")
                .arg("600")
                .stdin(Stdio::null())
                .spawn()
        };
        let process = netns.run(begin).expect("inside").expect("a process");
        let container = Container::of_pid("it", process.id()).expect("it runs");
        Self {
            id: id.to_owned(),
            process,
            container,
        }
    }

    /// As a runtime writes it.
    pub fn state(&self, annotations: Value) -> Value {
        json!({
            "ociVersion": "1.0.2",
            "id": self.id,
            "status": "creating",
            "pid": self.process.id(),
            "bundle": "/run/bundle",
            "annotations": annotations,
        })
    }

    pub fn addresses(&self) -> Vec<String> {
        global_addresses(self.container.netns(), "eth0")
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}
