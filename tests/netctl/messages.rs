//! Exit statuses and words, as Docker's.

use crate::ground::{Machine, has};
use crate::lab::wait_until;

/// Each command, its status, and a part of what it says on stderr.
fn refused(machine: &Machine, cases: &[(&str, i32, &str)]) {
    for (words, status, part) in cases {
        let said = machine.netctl(words);
        assert_eq!(said.status, *status, "netctl {words}: {said:?}");
        assert!(said.err.contains(part), "netctl {words}: {said:?}");
    }
}

#[test]
fn what_is_not_there_is_named() {
    let machine = Machine::new("absent");
    refused(
        &machine,
        &[
            ("network inspect web", 1, "network web not found"),
            ("network rm web", 1, "network web not found"),
            ("network connect web app", 1, "No such container: app"),
            ("network disconnect web app", 1, "No such container: app"),
            ("inspect app", 1, "No such container: app"),
            ("port app", 1, "No such container: app"),
            ("stop app", 1, "No such container: app"),
            ("start app", 1, "No such container: app"),
            ("rm app", 1, "No such container: app"),
            ("exec app -- true", 1, "No such container: app"),
            ("plan connect web app", 1, "No such container: app"),
        ],
    );
    assert_eq!(machine.netctl("inspect app").out, "[]\n");
    assert_eq!(machine.netctl("network inspect web").out, "[]\n");
}

#[test]
fn a_command_line_that_is_wrong_is_told_from_one_that_is_refused() {
    let machine = Machine::new("usage");
    refused(
        &machine,
        &[
            ("--nonsense", 125, "unexpected argument '--nonsense'"),
            ("run --nonsense -- true", 125, "unexpected argument"),
            ("network create --ip-range", 125, "a value is required"),
            ("network create", 1, "NAME"),
            ("nonsense", 1, "unrecognized subcommand 'nonsense'"),
        ],
    );
}

#[test]
fn a_container_that_can_not_run_is_told_by_its_status() {
    let machine = Machine::new("not_run");
    refused(
        &machine,
        &[
            (
                "run --rm --network web -- true",
                125,
                "network web not found",
            ),
            (
                "run --rm --network container: -- true",
                125,
                "invalid container format",
            ),
            (
                "run --rm --network container:no -- true",
                125,
                "No such container: no",
            ),
            (
                "run --rm --ip 10.0.0.1 -- true",
                125,
                "user-defined networks only",
            ),
            (
                "run --rm --network-alias a -- true",
                125,
                "user-defined networks",
            ),
            ("run --rm --name _ -- true", 125, "_"),
            (
                "run --rm -- no-such-command",
                127,
                "executable file not found in $PATH",
            ),
            ("run --rm -- /etc/passwd", 126, "permission denied"),
        ],
    );
    assert_eq!(machine.done("ps -aq"), "", "nothing is left of them");
}

#[test]
fn the_status_of_a_command_is_that_of_run() {
    let machine = Machine::new("status");
    assert_eq!(machine.netctl("run --rm -- true").status, 0);
    assert_eq!(
        machine.shell("netctl run --rm -- sh -c 'exit 7'; echo $?"),
        "7\n"
    );
    let killed = "netctl run --rm -- sh -c 'kill -9 $$'; echo $?";
    assert_eq!(machine.shell(killed), "137\n");
    machine.done("run -d --name a -- sleep 1d");
    assert_eq!(
        machine.shell("netctl exec a -- sh -c 'exit 5'; echo $?"),
        "5\n"
    );
    assert_eq!(machine.netctl("exec a -- no-such-command").status, 127);
    assert_eq!(machine.netctl("exec a -- /etc/passwd").status, 126);
}

#[test]
fn what_is_piped_in_and_out_is_the_container_s() {
    let machine = Machine::new("pipes");
    let said = machine.shell("echo hello | netctl run --rm -i -- cat");
    assert_eq!(said, "hello\n");
    assert_eq!(machine.shell("echo hello | netctl run --rm -- cat"), "");
    machine.done("run -d --name a -- sleep 1d");
    assert_eq!(
        machine.shell("echo hello | netctl exec a -- cat"),
        "hello\n"
    );
    let id = machine.done("run -d --network none -- echo hello");
    wait_until("it has ended", || {
        machine.inspect(&id)["State"]["Status"] == "exited"
    });
    assert_eq!(machine.done(&format!("logs {id}")), "hello");
}

#[test]
fn names_are_taken_until_their_container_is_removed() {
    let machine = Machine::new("names");
    let id = machine.done("run -d --name web -- sleep 1d");
    let said = machine.netctl("run -d --name web -- true");
    let words = format!(
        "Conflict. The container name \"/web\" is already in use by container \"{id}\". You have \
         to remove (or rename) that container to be able to reuse that name."
    );
    assert_eq!(
        (said.status, said.err.trim_end()),
        (125, &*format!("netctl: {words}"))
    );
    let said = machine.netctl("rm web");
    assert!(
        said.err
            .contains("cannot remove container \"web\": container is running")
    );
    assert_eq!(said.status, 1);
    assert_eq!(machine.done("rm -f web"), "web");
    machine.done("run -d --name web -- sleep 1d");
}

#[test]
fn networks_are_refused_in_the_words_that_people_search_for() {
    let machine = Machine::new("networks");
    machine.done("network create --subnet 10.89.0.0/24 web");
    machine.done("run -d --name app --network web -- sleep 1d");
    refused(
        &machine,
        &[
            (
                "network create web",
                1,
                "network with name web already exists",
            ),
            (
                "network create --subnet 10.89.0.0/25 b",
                1,
                "pool overlaps with other one",
            ),
            ("network create host", 1, "predefined host network"),
            (
                "network rm bridge",
                1,
                "bridge is a pre-defined network and cannot be removed",
            ),
            (
                "network rm web",
                1,
                "network web has active endpoints (name:\"app\"",
            ),
            (
                "network connect web app",
                1,
                "endpoint with name app already exists in network web",
            ),
            (
                "network disconnect bridge app",
                1,
                "container app is not connected to network",
            ),
            (
                "network connect host app",
                1,
                "container must be created in host network mode",
            ),
            ("network ls --filter color=red", 1, "color=red"),
            ("network create --driver nonsense b", 1, "nonsense"),
        ],
    );
}

#[test]
fn a_container_without_a_wire_gets_none_later() {
    let machine = Machine::new("wireless");
    machine.done("network create web");
    machine.done("run -d --name alone --network none -- sleep 1d");
    machine.done("run -d --name bare --network host -- sleep 1d");
    machine.done("run -d --name api --network web -- sleep 1d");
    machine.done("run -d --name beside --network container:api -- sleep 1d");
    let sharing = "container sharing network namespace with another container or host cannot be";
    let left = "container was created in host network mode";
    refused(
        &machine,
        &[
            ("network connect web alone", 1, "in private (none) mode"),
            ("network connect web bare", 1, sharing),
            ("network connect web beside", 1, sharing),
            ("plan connect web beside", 1, sharing),
            ("network disconnect host bare", 1, left),
            ("network disconnect none alone", 1, "in private (none) mode"),
        ],
    );
    for name in ["alone", "bare", "beside"] {
        machine.done(&format!("stop -t 0 {name}"));
        machine.done(&format!("start {name}"));
    }
    machine.done("stop -t 0 api beside");
    let said = machine.netctl("start beside");
    let words = "cannot join network namespace of a non running container: container";
    assert!(said.err.contains(words), "{said:?}");
}

#[test]
fn lists_are_filtered_and_printed_as_json() {
    let machine = Machine::new("lists");
    let id = machine.done("network create --label team=shop --internal web");
    machine.done("network create other");
    let lines = machine.done("network ls --filter label=team=shop --format json");
    let network: serde_json::Value = serde_json::from_str(&lines).expect("one line of json");
    assert_eq!(network["ID"], id[..12]);
    assert_eq!(
        (&network["Name"], &network["Internal"]),
        (&"web".into(), &"true".into())
    );
    let builtin = machine.done("network ls --filter type=builtin -q");
    assert_eq!(builtin.lines().count(), 3);
    machine.done("run -d --name app --network web -- sleep 1d");
    let line = machine.done("ps --format json");
    let app: serde_json::Value = serde_json::from_str(&line).expect("one line of json");
    assert_eq!(
        (&app["Names"], &app["State"]),
        (&"app".into(), &"running".into())
    );
    assert_eq!(app["Networks"], "web");
    assert_eq!(
        machine.done("network prune --force"),
        "Deleted Networks:\nother"
    );
}

#[test]
fn ports_are_shown_as_they_are_published() {
    if !has("busybox") {
        return;
    }
    let machine = Machine::new("ports");
    machine.done("run -d --name web -p 127.0.0.1:8080:80 --expose 443 -- sleep 1d");
    assert_eq!(machine.done("port web"), "80/tcp -> 127.0.0.1:8080");
    assert_eq!(machine.done("port web 80"), "127.0.0.1:8080");
    let said = machine.netctl("port web 443");
    assert_eq!(said.status, 1);
    assert!(
        said.err
            .contains("no public port '443/tcp' published for web"),
        "{said:?}"
    );
    let said = machine.netctl("run --rm -p 127.0.0.1:8080:80 -- true");
    assert_eq!(said.status, 125);
    let words = "port is already allocated to container web (tcp)";
    assert!(said.err.contains(words), "{said:?}");
    let line = machine.done("ps --format json");
    assert!(line.contains("127.0.0.1:8080->80/tcp"), "{line}");
    machine.done("stop -t 0 web");
    machine.done("run --rm -p 127.0.0.1:8080:80 -- true");
}
