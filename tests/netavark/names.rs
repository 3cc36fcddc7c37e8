//! Who answers names: begun as what it is to outlive, and again by whichever verb finds that it is gone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use bridgework::Netns;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::asked::{network, request};
use crate::ground::{Machine, addresses_of};
use crate::lab::example::{self, Said, has};
use crate::lab::wait_until;

fn netns() -> Netns {
    Netns::create().expect("a namespace")
}

impl Machine {
    fn kill_responder(&self) {
        let [responder] = self.processes()[..] else {
            panic!("{:?}", self.processes());
        };
        kill(Pid::from_raw(responder), Signal::SIGKILL).expect("it is there");
        wait_until("it is gone", || self.processes().is_empty());
    }

    /// A verb where systemd has booted the machine, and this script is its `systemd-run`.
    fn run_booted(&self, script: &str, verb: [&str; 3], request: &[u8]) -> Said {
        let programs = self.folder.join("programs");
        fs::create_dir_all(&programs).expect("a folder");
        let program = programs.join("systemd-run");
        fs::write(&program, script).expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it can be run");
        let mut command = Command::new("unshare");
        let booted = "mount -t tmpfs none /run; mkdir -p /run/systemd/system; exec \"$@\"";
        command.args(["-m", "sh", "-euc", booted, "sh"]);
        command.arg(example::built("netavark"));
        command.arg("--config").arg(self.state()).args(verb);
        let path = std::env::var("PATH").expect("a path");
        command.env("PATH", format!("{}:{path}", programs.display()));
        command.env("NOTED", self.folder.join("noted"));
        example::run(&self.netns, command, request)
    }
}

#[test]
fn whoever_answers_names_outlives_the_service_that_has_begun_it() {
    if !has("unshare") {
        return;
    }
    let machine = Machine::new("scope");
    let (one, net) = (netns(), network(50, json!({})));
    let asked = request(1, &net, &["10.50.0.2"], json!({}));
    let (path, stdin) = (one.path().display().to_string(), asked.to_string());
    let note = "#!/bin/sh\necho \"$@\" >> \"$NOTED\"\n\
                while [ \"${1#-}\" != \"$1\" ]; do shift; done\nexec \"$@\"\n";
    for (rootless, options) in [
        ("--rootless=false", "-q --scope "),
        ("--rootless=true", "-q --scope --user "),
    ] {
        let said = machine.run_booted(note, [rootless, "setup", &path], stdin.as_bytes());
        assert_eq!(said.status, 0, "{said:?}");
        let noted = fs::read_to_string(machine.folder.join("noted")).expect("it was asked");
        fs::remove_file(machine.folder.join("noted")).expect("it is there");
        assert!(noted.starts_with(&format!("{options}/")), "{noted}");
        assert!(noted.ends_with("answer-names\n"), "{noted}");
        assert_eq!(addresses_of(&one, "10.50.0.1", "c1"), ["10.50.0.2"]);
        machine.teardown(&one, &asked);
        machine.is_clean();
    }
    // nobody is there who makes scopes
    let fail = "#!/bin/sh\nexit 1\n";
    let said = machine.run_booted(fail, ["--rootless=false", "setup", &path], stdin.as_bytes());
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(addresses_of(&one, "10.50.0.1", "c1"), ["10.50.0.2"]);
    machine.teardown(&one, &asked);
    machine.is_clean();
}

#[test]
fn whoever_answers_names_is_begun_again_by_every_verb_that_others_stay_behind() {
    let machine = Machine::new("behind");
    let [one, two] = [netns(), netns()];
    let net = network(51, json!({}));
    let first = request(1, &net, &["10.51.0.2"], json!({}));
    let second = request(2, &net, &["10.51.0.3"], json!({}));
    machine.setup(&one, &first);
    let answers = || addresses_of(&one, "10.51.0.1", "c1") == ["10.51.0.2"];
    for verb in [
        &["firewall-reload"][..],
        &["update", "net51", "--network-dns-servers", "10.51.0.9"],
    ] {
        machine.kill_responder();
        let said = machine.run(verb, b"");
        assert_eq!((said.status, said.out.as_str()), (0, ""), "{said:?}");
        assert!(answers(), "{verb:?}");
    }
    machine.setup(&two, &second);
    machine.kill_responder();
    machine.teardown(&two, &second);
    assert!(answers());
    machine.teardown(&one, &first);
    machine.is_clean();
}

#[test]
fn where_state_is_kept_may_be_said_from_where_the_verb_is_called() {
    let machine = Machine::new("relative");
    let (one, net) = (netns(), network(52, json!({})));
    let asked = request(1, &net, &["10.52.0.2"], json!({}));
    let mut command = Command::new(example::built("netavark"));
    command.args(["--config", "state", "setup"]).arg(one.path());
    command.current_dir(&*machine.folder);
    let said = example::run(&machine.netns, command, asked.to_string().as_bytes());
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(addresses_of(&one, "10.52.0.1", "c1"), ["10.52.0.2"]);
    machine.teardown(&one, &asked);
    machine.is_clean();
}
