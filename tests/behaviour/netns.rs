//! Namespaces: made, found, entered, named; and the caller's thread stays where it is.

use std::fs::File;
use std::io::Read;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command};

use bridgework::{ContainerName, Device, Error, Fault, Netns};

use crate::lab::{self, has_link, ip_json};

/// The namespace that the calling thread is in.
fn own_inode() -> u64 {
    std::fs::metadata("/proc/thread-self/ns/net").unwrap().ino()
}

/// A process that sleeps in a namespace, ended when this is dropped.
struct Sleeper(Child);

impl Sleeper {
    /// A child is born into the namespace of the thread that makes it.
    fn inside(netns: &Netns) -> Self {
        let child = netns
            .run(|| Command::new("sleep").arg("1000").spawn())
            .unwrap();
        Self(child.expect("sleep"))
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

fn name(text: &str) -> ContainerName {
    text.parse().unwrap()
}

#[test]
fn a_new_namespace_is_another_and_has_only_lo_which_is_down() {
    let (first, second) = (Netns::create().unwrap(), Netns::create().unwrap());
    assert_ne!(first, second);
    assert_ne!(first.inode(), own_inode());
    assert_eq!(first.run(own_inode).unwrap(), first.inode());
    let Some(links) = ip_json(&first, "link show") else {
        return;
    };
    assert_eq!(links.len(), 1);
    assert_eq!(
        (&links[0]["ifname"], &links[0]["operstate"]),
        (&"lo".into(), &"DOWN".into())
    );
}

#[test]
fn the_callers_own_namespace_is_that_of_the_thread() {
    assert_eq!(Netns::current().unwrap().inode(), own_inode());
    let netns = Netns::create().unwrap();
    let inside = netns.run(|| Netns::current().unwrap()).unwrap();
    assert_eq!(inside, netns);
}

#[test]
fn a_process_has_a_namespace_until_it_ends() {
    let netns = Netns::create().unwrap();
    let mut sleeper = Sleeper::inside(&netns);
    let pid = sleeper.0.id();
    assert_eq!(Netns::of_pid(pid).unwrap(), netns);
    sleeper.0.kill().unwrap();
    let is_zombie = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.contains(") Z ")
    };
    lab::wait_until("the process ended", is_zombie);
    let error = Netns::of_pid(pid).unwrap_err();
    assert!(
        error.is_not_found(),
        "nobody has asked for its end yet: {error}"
    );
    sleeper.0.wait().unwrap();
    let error = Netns::of_pid(pid).unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert!(
        error.to_string().contains(&format!("process {pid}")),
        "{error}"
    );
}

#[test]
fn a_process_keeps_its_namespace_and_a_handle_keeps_it_too() {
    let netns = Netns::create().unwrap();
    let inode = netns.inode();
    let sleeper = Sleeper::inside(&netns);
    drop(netns);
    let found = Netns::of_pid(sleeper.0.id()).unwrap();
    assert_eq!(found.inode(), inode);
    drop(sleeper);
    assert_eq!(found.run(own_inode).unwrap(), inode);
}

#[test]
fn a_namespace_is_found_at_a_path_and_from_a_descriptor() {
    let netns = Netns::create().unwrap();
    let sleeper = Sleeper::inside(&netns);
    let path = format!("/proc/{}/ns/net", sleeper.0.id());
    assert_eq!(Netns::at(&path).unwrap(), netns);
    let descriptor = OwnedFd::from(File::open(&path).unwrap());
    assert_eq!(Netns::from_fd(descriptor).unwrap(), netns);
    let again = netns.as_fd().try_clone_to_owned().unwrap();
    assert_eq!(Netns::from_fd(again).unwrap(), netns);
}

#[test]
fn a_named_namespace_outlives_its_handles_until_the_name_is_taken_away() {
    let named = name("netns-test-named");
    let netns = Netns::create().unwrap();
    let lo = Device::open(&netns, "lo").unwrap();
    lo.add_address("10.77.0.1/32".parse().unwrap()).unwrap();
    let path = netns.pin(&named).unwrap();
    assert!(path.ends_with("netns/netns-test-named"), "{path:?}");
    let inode = netns.inode();
    drop((netns, lo));
    let current = Netns::current().unwrap();
    if let Some(all) = ip_json(&current, "netns list") {
        assert!(
            all.iter().any(|one| one["name"] == "netns-test-named"),
            "{all:?}"
        );
        let found = ip_json(&current, "-n netns-test-named addr show dev lo").unwrap();
        assert_eq!(found[0]["addr_info"][0]["local"], "10.77.0.1");
    }
    let found = Netns::named(&named).unwrap();
    assert_eq!(found.inode(), inode);
    assert_eq!(Netns::at(&path).unwrap(), found);
    let taken = Netns::create().unwrap().pin(&named).unwrap_err();
    assert!(taken.is_exists(), "{taken}");
    Netns::unpin(&named).unwrap();
    let gone = Netns::named(&named).unwrap_err();
    assert!(gone.is_not_found(), "{gone}");
    assert!(!path.exists());
    assert_eq!(Netns::unpin(&named), Ok(()), "gone already is done");
}

fn is_no_namespace(result: Result<Netns, Error>) {
    let error = result.unwrap_err();
    assert!(
        matches!(error.faults(), [Fault::NotANamespace { .. }]),
        "{error}"
    );
    assert!(error.is_invalid(), "{error}");
}

#[test]
fn a_file_of_another_kind_and_a_namespace_of_another_kind_are_refused() {
    is_no_namespace(Netns::at("/proc/self/ns/mnt"));
    is_no_namespace(Netns::at("/proc/self/ns/uts"));
    is_no_namespace(Netns::at("/proc/self/status"));
    is_no_namespace(Netns::at("/proc/self"));
    is_no_namespace(Netns::at("/dev/null"));
    is_no_namespace(Netns::from_fd(
        File::open("/proc/self/ns/mnt").unwrap().into(),
    ));
    is_no_namespace(Netns::from_fd(File::open("/dev/null").unwrap().into()));
    is_no_namespace(Netns::from_fd(
        UdpSocket::bind("127.0.0.1:0").unwrap().into(),
    ));
}

#[test]
fn a_name_whose_namespace_was_never_bound_is_no_namespace_and_a_missing_one_is_not_found() {
    let unbound = name("netns-test-unbound");
    std::fs::create_dir_all("/run/netns").unwrap();
    File::create_new("/run/netns/netns-test-unbound").unwrap();
    is_no_namespace(Netns::named(&unbound));
    Netns::unpin(&unbound).unwrap();
    for missing in [Netns::named(&unbound), Netns::at("/run/netns/none/at/all")] {
        let error = missing.unwrap_err();
        assert!(error.is_not_found(), "{error}");
    }
}

#[test]
fn sockets_that_were_opened_inside_keep_working_outside() {
    let netns = Netns::create().unwrap();
    Device::open(&netns, "lo").unwrap().set_up().unwrap();
    let before = own_inode();
    let listening = netns
        .run(|| TcpListener::bind("127.0.0.1:0"))
        .unwrap()
        .unwrap();
    let at = listening.local_addr().unwrap();
    let client = netns.run(|| TcpStream::connect(at)).unwrap().unwrap();
    let (accepted, _) = listening.accept().unwrap();
    use std::io::Write;
    (&accepted).write_all(b"in there").unwrap();
    drop(accepted);
    let mut text = String::new();
    (&client).read_to_string(&mut text).unwrap();
    assert_eq!(text, "in there");
    assert_eq!(own_inode(), before);
    // the same port is another one out here
    assert!(TcpStream::connect(at).is_err());
}

#[test]
fn what_the_closure_returns_is_handed_back_and_may_borrow() {
    let netns = Netns::create().unwrap();
    let text = String::from("out here");
    let mut count = 0;
    let returned = netns.run(|| {
        count += 1;
        text.as_str()
    });
    assert_eq!((returned.unwrap(), count), ("out here", 1));
}

#[test]
fn a_closure_that_panics_is_an_error_and_the_callers_thread_stays_where_it_is() {
    let netns = Netns::create().unwrap();
    let before = own_inode();
    let error = netns
        .run(|| panic!("on purpose, {}", 7))
        .map(|(): ()| ())
        .unwrap_err();
    let message = "on purpose, 7".to_owned();
    assert_eq!(error.faults(), [Fault::Panicked { message }]);
    let error = netns.run(|| -> () { panic!("plainly") }).unwrap_err();
    let message = "plainly".to_owned();
    assert_eq!(error.faults(), [Fault::Panicked { message }]);
    assert_eq!(own_inode(), before);
    assert_eq!(netns.run(own_inode).unwrap(), netns.inode());
}

#[test]
fn a_hundred_threads_enter_at_once_and_each_is_where_it_wanted() {
    let spaces = [Netns::create().unwrap(), Netns::create().unwrap()];
    let before = own_inode();
    std::thread::scope(|scope| {
        for number in 0..100 {
            let netns = &spaces[number % 2];
            scope.spawn(move || {
                let outside = own_inode();
                for _ in 0..10 {
                    assert_eq!(netns.run(own_inode).unwrap(), netns.inode());
                }
                assert_eq!(own_inode(), outside);
            });
        }
    });
    assert_eq!(own_inode(), before);
}

#[test]
fn the_links_of_a_namespace_go_with_its_last_handle() {
    let (near, far) = (Netns::create().unwrap(), Netns::create().unwrap());
    let pair =
        bridgework::VethPair::create((&near, "a"), (&far, "b"), bridgework::VethConfig::new());
    pair.unwrap().persist();
    if has_link(&near, "a") != Some(true) {
        return;
    }
    drop(far);
    lab::wait_until("the near end goes", || has_link(&near, "a") == Some(false));
}
