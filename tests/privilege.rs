//! Without a privilege: the error says which one is missing and how to get it, and nothing is
//! changed. Each test runs itself again in a private network without the privilege.

use std::process::Command;

use bridgework::{Error, Fault, Host, Netns, NetworkConfig, sandbox};

const CHILD: &str = "BRIDGEWORK_TEST_WITHOUT";

/// Whether this is the process without `capability`; if not, it is started, and has to succeed.
fn is_without(capability: &str, test: &str) -> bool {
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    let as_root = nix::unistd::geteuid().is_root();
    let namespaces = if as_root { "-n" } else { "-rn" };
    let output = Command::new("unshare")
        .args([namespaces, "setpriv"])
        .arg(format!("--bounding-set=-{capability}"))
        .arg(format!("--inh-caps=-{capability}"))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, capability)
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            eprintln!("NOT TESTED: unshare and setpriv: {error}: install util-linux");
            assert!(std::env::var_os("CI").is_none(), "util-linux is missing");
            return false;
        }
    };
    let [out, errors] = [&output.stdout, &output.stderr].map(|b| String::from_utf8_lossy(b));
    let text = format!("{out}{errors}");
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
    false
}

fn links() -> String {
    let table = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    let names = table
        .lines()
        .skip(2)
        .filter_map(|line| line.split(':').next());
    names.collect()
}

fn assert_missing(error: &Error, wanted: &str, text: &str) {
    assert!(error.is_permission(), "{error}");
    let [Fault::Privilege { capability, .. }] = error.faults() else {
        panic!("{error}");
    };
    assert_eq!(*capability, wanted, "{error}");
    assert_eq!(error.to_string(), text);
    assert!(error.left_behind().is_empty());
}

#[test]
fn without_cap_net_admin_a_host_is_not_opened_and_the_error_says_how_to_get_it() {
    if !is_without(
        "net_admin",
        "without_cap_net_admin_a_host_is_not_opened_and_the_error_says_how_to_get_it",
    ) {
        return;
    }
    let before = links();
    let text = "open host: CAP_NET_ADMIN is missing: change the network: it is needed in the user \
                namespace that owns the network namespace; run as root, or call sandbox::enter() \
                first";
    assert_missing(&Host::open().unwrap_err(), "CAP_NET_ADMIN", text);
    assert_missing(&Host::isolated().unwrap_err(), "CAP_NET_ADMIN", text);
    let inside = Netns::create().unwrap();
    let error = inside.snapshot().unwrap_err();
    assert!(error.is_permission(), "{error}");
    assert_eq!(links(), before);
    let text = "enter the sandbox: CAP_NET_ADMIN is missing: set lo up: run as root, or where user \
                namespaces are not restricted (a container's seccomp profile, \
                kernel.apparmor_restrict_unprivileged_userns)";
    assert_missing(&sandbox::enter().unwrap_err(), "CAP_NET_ADMIN", text);
}

#[test]
fn without_cap_sys_admin_no_namespace_is_made_or_entered() {
    if !is_without(
        "sys_admin",
        "without_cap_sys_admin_no_namespace_is_made_or_entered",
    ) {
        return;
    }
    let before = links();
    let advice = "run as root, or call sandbox::enter() first";
    for error in [Host::isolated().unwrap_err(), Netns::create().unwrap_err()] {
        let text = format!(
            "create network namespace: CAP_SYS_ADMIN is missing: create network namespace: {advice}"
        );
        assert_missing(&error, "CAP_SYS_ADMIN", &text);
    }
    let elsewhere = Netns::of_pid(std::os::unix::process::parent_id());
    let error = elsewhere.unwrap_err();
    assert!(
        error.is_permission() && error.to_string().contains("CAP_SYS_ADMIN"),
        "{error}"
    );
    // where the caller is there is nothing to enter
    Netns::current().unwrap().run(|| ()).unwrap();
    let host = Host::open().unwrap();
    let network = host.create_network(NetworkConfig::bridge("web")).unwrap();
    assert_ne!(links(), before);
    network.remove().unwrap();
    drop(host);
    let error = sandbox::enter().unwrap_err();
    assert!(error.is_invalid(), "{error}");
    assert_eq!(
        error.to_string(),
        "enter the sandbox: conflicting options: a user namespace and more than one thread: enter \
         before any thread starts"
    );
    assert_eq!(links(), before);
}
