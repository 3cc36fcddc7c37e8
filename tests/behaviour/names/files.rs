//! A container's own hosts file: Docker's text, changed in place, other people's lines untouched.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bridgework::{Container, EndpointConfig, HostsScope, Network, NetworkConfig};

use super::{config, text, with_hosts};
use crate::{lab, scratch};

pub(super) const BASE: &str = "127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

fn dual(scope: HostsScope) -> Network {
    let config = NetworkConfig::bridge("hmall")
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64");
    lab::host().create_network(config.hosts(scope)).unwrap()
}

#[test]
fn the_text_is_docker_s_to_the_byte() {
    let directory = scratch::Directory::new("text");
    let path = directory.path().join("hosts");
    let config = config("web", 0xab)
        .hostname("www")
        .domain("shop.test")
        .extra_host("bank", [192, 0, 2, 1])
        .extra_host("bank", "2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap())
        .hosts_file(&path);
    let web = Container::open(config).unwrap();
    let base = format!("{BASE}192.0.2.1\tbank\n2001:db8::1\tbank\n");
    assert_eq!(text(&path), base);
    let network = dual(HostsScope::Own);
    let at = network
        .connect_with(&web, EndpointConfig::new().alias("shop"))
        .unwrap();
    let own = "10.89.0.2\twww.shop.test www\nfd00:89::2\twww.shop.test www\n";
    assert_eq!(text(&path), format!("{base}{own}"));
    at.disconnect().unwrap();
    assert_eq!(text(&path), base);
}

#[test]
fn a_container_without_host_name_and_domain_is_known_by_its_short_id() {
    let directory = scratch::Directory::new("short");
    let path = directory.path().join("hosts");
    let web = with_hosts("web", 0xab, &path);
    let _at = dual(HostsScope::Own).connect(&web).unwrap();
    let own = "10.89.0.2\tabababababab\nfd00:89::2\tabababababab\n";
    assert_eq!(text(&path), format!("{BASE}{own}"));
}

#[test]
fn two_networks_leave_one_after_the_other_without_touching_each_other_s_lines() {
    let directory = scratch::Directory::new("two");
    let path = directory.path().join("hosts");
    let web = with_hosts("web", 0xab, &path);
    let host = lab::host();
    let [front, back] = [("front", "10.1.0.0/24"), ("back", "10.2.0.0/24")]
        .map(|(name, subnet)| NetworkConfig::bridge(name).subnet(subnet))
        .map(|config| host.create_network(config).unwrap());
    let at_front = front.connect(&web).unwrap();
    let at_back = back.connect(&web).unwrap();
    let line = |address| format!("{address}\tabababababab\n");
    let (first, second) = (line("10.1.0.2"), line("10.2.0.2"));
    assert_eq!(text(&path), format!("{BASE}{first}{second}"));
    at_front.disconnect().unwrap();
    assert_eq!(text(&path), format!("{BASE}{second}"));
    at_back.disconnect().unwrap();
    assert_eq!(text(&path), BASE);
}

#[test]
fn a_file_that_was_made_goes_with_the_last_handle() {
    let directory = scratch::Directory::new("made");
    let path = directory.path().join("hosts");
    let web = with_hosts("web", 0xab, &path);
    let other = web.clone();
    let at = dual(HostsScope::Own).connect(&web).unwrap();
    drop((web, other));
    assert!(path.exists(), "the endpoint still holds the container");
    at.disconnect().unwrap();
    assert!(!path.exists());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_made_file_that_its_user_has_written_to_stays() {
    let directory = scratch::Directory::new("kept");
    let path = directory.path().join("hosts");
    let web = with_hosts("web", 0xab, &path);
    fs::write(&path, format!("{BASE}# mine\n")).unwrap();
    drop(web);
    assert_eq!(text(&path), format!("{BASE}# mine\n"));
}

#[test]
fn a_file_that_was_empty_is_empty_again() {
    let directory = scratch::Directory::new("empty");
    let path = directory.path().join("hosts");
    fs::write(&path, "").unwrap();
    let web = with_hosts("web", 0xab, &path);
    assert_eq!(text(&path), BASE);
    drop(web);
    assert_eq!(text(&path), "");
}

#[test]
fn every_byte_of_others_stays() {
    let directory = scratch::Directory::new("bytes");
    let path = directory.path().join("hosts");
    for theirs in [
        &b"# mine\r\n127.0.0.1 localhost\r\n\r\n10.89.0.2\tabababababab # not the same\r\n"[..],
        b"\xff\xfe not utf-8 \xc3\n10.89.0.22\tabababababab\n",
        b"no line feed at the end",
        b"\n\n\n",
    ] {
        fs::write(&path, theirs).unwrap();
        let web = with_hosts("web", 0xab, &path);
        assert_eq!(
            fs::read(&path).unwrap(),
            theirs,
            "what is there is not ours to change"
        );
        let at = dual(HostsScope::Own).connect(&web).unwrap();
        let during = fs::read(&path).unwrap();
        assert!(during.starts_with(theirs.trim_ascii_end()));
        assert!(String::from_utf8_lossy(&during).contains("\n10.89.0.2\tabababababab\n"));
        at.disconnect().unwrap();
        drop(web);
        assert_eq!(fs::read(&path).unwrap(), theirs);
    }
}

#[test]
fn lines_that_a_user_adds_meanwhile_stay() {
    let directory = scratch::Directory::new("meanwhile");
    let path = directory.path().join("hosts");
    let web = with_hosts("web", 0xab, &path);
    let at = dual(HostsScope::Own).connect(&web).unwrap();
    let with_theirs = format!("# first\r\n{}192.0.2.9\tmine\n", text(&path));
    fs::write(&path, with_theirs).unwrap();
    at.disconnect().unwrap();
    assert_eq!(text(&path), format!("# first\r\n{BASE}192.0.2.9\tmine\n"));
}

#[test]
fn the_file_stays_the_same_file_also_where_it_is_mounted() {
    let directory = scratch::Directory::new("mounted");
    let [path, target] = ["hosts", "target"].map(|name| directory.path().join(name));
    let web = with_hosts("web", 0xab, &path);
    let inode = fs::metadata(&path).unwrap().ino();
    fs::write(&target, "covered").unwrap();
    let mounted = Mounted::over(&path, &target);
    let network = dual(HostsScope::Own);
    let at = network.connect(&web).unwrap();
    let own = "10.89.0.2\tabababababab\nfd00:89::2\tabababababab\n";
    assert_eq!(text(&target), format!("{BASE}{own}"));
    at.disconnect().unwrap();
    assert_eq!(text(&target), BASE);
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
    drop(mounted);
    assert_eq!(text(&target), "covered");
}

#[test]
fn a_file_that_is_itself_a_mount_is_written_through() {
    let directory = scratch::Directory::new("through");
    let [source, path] = ["source", "hosts"].map(|name| directory.path().join(name));
    fs::write(&source, "# from elsewhere\n").unwrap();
    fs::write(&path, "covered").unwrap();
    let mounted = Mounted::over(&source, &path);
    let web = with_hosts("web", 0xab, &path);
    let at = dual(HostsScope::Own).connect(&web).unwrap();
    assert!(
        text(&source).ends_with("\nfd00:89::2\tabababababab\n"),
        "{}",
        text(&source)
    );
    at.disconnect().unwrap();
    assert_eq!(text(&source), "# from elsewhere\n");
    drop((web, mounted));
    assert_eq!(text(&path), "covered");
}

/// A bind mount, gone with this.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn over(source: &Path, target: &'a Path) -> Self {
        let nothing: Option<&str> = None;
        let flags = nix::mount::MsFlags::MS_BIND;
        nix::mount::mount(Some(source), target, nothing, flags, nothing).unwrap();
        Self(target)
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        nix::mount::umount(self.0).unwrap();
    }
}
