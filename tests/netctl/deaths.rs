//! What is killed without a word: a container's process, a command in the middle of `run`, the name
//! server. The next command puts it right.

use std::fs;
use std::process::Child;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::ground::{Machine, Said, has};
use crate::lab::wait_until;

fn pid_of(machine: &Machine, container: &str) -> Pid {
    let pid = machine.inspect(container)["State"]["Pid"].as_i64();
    Pid::from_raw(pid.and_then(|pid| i32::try_from(pid).ok()).expect("a pid"))
}

fn veths(machine: &Machine) -> usize {
    let links = machine.links();
    links.iter().filter(|name| name.starts_with("veth")).count()
}

#[test]
fn a_container_whose_process_was_killed_is_found_dead_and_disconnected() {
    let machine = Machine::new("killed");
    machine.done("network create web");
    machine.done("run -d --name app --network web -- sleep 1d");
    kill(pid_of(&machine, "app"), Signal::SIGKILL).expect("it runs");
    wait_until("app has ended", || machine.done("ps -q").is_empty());
    assert_eq!(machine.inspect("app")["State"]["Status"], "exited");
    let shown = machine.done("network inspect web");
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("json");
    assert_eq!(shown[0]["Containers"], serde_json::json!({}));
    wait_until("its link is gone", || veths(&machine) == 0);
    machine.done("network rm web");
    machine.done("rm app");
}

#[test]
fn a_container_that_ended_is_started_on_its_networks_again() {
    let machine = Machine::new("again");
    machine.done("network create --subnet 10.89.0.0/24 web");
    machine.done("network create --subnet 10.90.0.0/24 back");
    machine.done("run -d --name app --network web --ip 10.89.0.7 -- sleep 1d");
    machine.done("network connect --ip 10.90.0.7 back app");
    let places = |machine: &Machine| {
        let networks = machine.inspect("app")["NetworkSettings"]["Networks"].clone();
        [
            &networks["web"]["IPAddress"],
            &networks["back"]["IPAddress"],
        ]
        .map(ToString::to_string)
    };
    let before = places(&machine);
    assert_eq!(before, ["\"10.89.0.7\"", "\"10.90.0.7\""]);
    let former = pid_of(&machine, "app");
    assert_eq!(machine.done("stop -t 0 app"), "app");
    assert_eq!(machine.done("start app"), "app");
    assert_ne!(pid_of(&machine, "app"), former);
    assert_eq!(places(&machine), before);
    machine.done("network disconnect back app");
    machine.done("stop -t 0 app");
    machine.done("start app");
    assert_eq!(places(&machine), ["\"10.89.0.7\"", "null"]);
}

#[test]
fn what_a_container_has_begun_ends_with_it() {
    let machine = Machine::new("children");
    // nobody else's sleep is so long
    let seconds = [1_000_000, 2_000_000].map(|s| (s + std::process::id()).to_string());
    let [first, second] = &seconds;
    let script = format!("sleep {first} & exec sleep {second}");
    let said = machine.shell(&format!("netctl run -d --name app -- sh -c '{script}'"));
    assert_eq!(said.trim_end().len(), 64, "{said}");
    let running = || seconds.iter().map(|seconds| count(seconds)).sum::<usize>();
    wait_until("both run", || running() == 2);
    machine.done("stop -t 0 app");
    wait_until("neither runs", || running() == 0);
}

/// How many processes sleep for so many seconds.
fn count(seconds: &str) -> usize {
    let command_line = format!("sleep\x00{seconds}\x00");
    let entries = fs::read_dir("/proc").expect("proc").flatten();
    let lines = entries.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    lines.filter(|line| *line == command_line).count()
}

type HasCome = fn(&Machine) -> bool;

/// How far `run` has come, as others can see it.
const STAGES: [(&str, HasCome); 6] = [
    ("begun", |_| true),
    ("named", |machine| !config(machine).is_empty()),
    ("forked", |machine| config(machine).contains("Begun")),
    ("wired", |machine| veths(machine) > 0),
    ("connected", |machine| {
        config(machine).contains("\"mounts\": 4")
    }),
    ("served", |machine| machine.server().is_some()),
];

/// What is kept of the containers of the machine.
fn config(machine: &Machine) -> String {
    let folders = fs::read_dir(machine.state().join("containers"));
    let folders = folders.into_iter().flatten().flatten();
    let texts = folders.map(|folder| fs::read_to_string(folder.path().join("config.json")));
    texts.flatten().collect()
}

/// Kills a command as soon as it has come so far, or when it has ended before that was seen.
fn kill_when(mut command: Child, has_come: impl Fn() -> bool) {
    while !has_come() && command.try_wait().expect("it is ours").is_none() {
        std::thread::yield_now();
    }
    command.kill().expect("it is ours");
    command.wait().expect("it has ended");
}

#[test]
fn a_command_that_was_killed_in_the_middle_of_run_leaves_nothing_after_recover() {
    let machine = Machine::new("middle");
    machine.done("network create web");
    for (stage, has_come) in STAGES {
        let command = machine.begin(&format!("run -d --name {stage} --network web -- sleep 1d"));
        kill_when(command, || has_come(&machine));
        machine.done("recover");
        // it runs, or it is known and does not, or it never was
        let known = machine.netctl(&format!("inspect {stage}")).status == 0;
        if known {
            machine.done(&format!("rm -f {stage}"));
        }
        let folders = fs::read_dir(machine.state().join("containers")).expect("a folder");
        assert_eq!(folders.count(), 0, "{stage}");
        wait_until("no link is left", || veths(&machine) == 0);
        let shown = machine.done("network inspect web");
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("json");
        assert_eq!(shown[0]["Containers"], serde_json::json!({}), "{stage}");
    }
    machine.done("network rm web");
    assert_eq!(machine.done("recover"), "");
}

#[test]
fn what_a_killed_command_had_taken_the_next_one_gets() {
    let machine = Machine::new("next");
    machine.done("network create --subnet 10.89.0.0/24 web");
    let words = "run -d --name app --network web --ip 10.89.0.9 -p 8080:80 -- sleep 1d";
    for (_, has_come) in STAGES {
        kill_when(machine.begin(words), || has_come(&machine));
        if machine.netctl("inspect app").status == 0 {
            machine.done("rm -f app");
        }
        machine.done(words);
        machine.done("rm -f app");
        wait_until("no link is left", || veths(&machine) == 0);
    }
    let words = "network create --subnet 10.90.0.0/24 back";
    let bridges = || {
        machine
            .links()
            .iter()
            .filter(|l| l.starts_with("br-"))
            .count()
    };
    for bridges_wanted in [0, 2, 2, 2, 2] {
        kill_when(machine.begin(words), || bridges() >= bridges_wanted);
        if machine.netctl("network inspect back").status == 0 {
            machine.done("network rm back");
        }
        machine.done(words);
        machine.done("network rm back");
    }
    assert_eq!(machine.done("recover"), "", "nothing was left to it");
}

#[test]
fn a_name_server_that_was_killed_is_begun_again_by_any_command_and_ends_with_the_last_container() {
    if !has("getent") {
        return;
    }
    let machine = Machine::new("server");
    machine.done("network create web");
    assert_eq!(machine.server(), None, "nobody is to be answered");
    machine.done("run -d --name app --network web --network-alias front -- sleep 1d");
    let first = machine.server().expect("a server");
    machine.done("run -d --name db --network web -- sleep 1d");
    assert_eq!(machine.server(), Some(first), "there is one");
    let front = machine.done("exec db -- getent hosts front");
    let pid = Pid::from_raw(i32::try_from(first).expect("a pid"));
    kill(pid, Signal::SIGKILL).expect("it runs");
    wait_until("the server has ended", || !runs(first));
    machine.done("ps");
    let second = machine.server().expect("a server");
    assert_ne!(second, first);
    // the one that began it does not wait until all are served
    wait_until("names are answered again", || {
        machine
            .netctl("exec db -- getent hosts front")
            .out
            .trim_end()
            == front
    });
    machine.done("rm -f app db");
    wait_until("it has ended", || {
        machine.server().is_none() && !runs(second)
    });
}

fn runs(pid: i64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.trim_start().chars().next());
    state.is_some_and(|state| state != 'Z')
}

#[test]
fn a_signal_for_a_command_that_waits_is_the_container_s() {
    let machine = Machine::new("signals");
    let waiting = machine.begin("run --name app -- sleep 1d");
    wait_until("app runs", || machine.done("ps -q").lines().count() == 1);
    let pid = i32::try_from(waiting.id()).expect("a pid");
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("it runs");
    let said = Said::of(waiting.wait_with_output().expect("it ends"));
    assert_eq!(said.status, 128 + Signal::SIGTERM as i32, "{said:?}");
    let shown = machine.inspect("app");
    assert_eq!(shown["State"]["ExitCode"], 143);
    assert_eq!(shown["State"]["Status"], "exited");
}
