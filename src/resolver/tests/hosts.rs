//! The lines, to the byte.

use super::{address, owner};
use crate::resolver::{ExtraHost, Loopback, base_text, endpoint_lines, peer_lines};

#[test]
fn the_base_text_is_dockers() {
    let extra = |name: &str, text: &str| ExtraHost {
        name: name.parse().unwrap(),
        address: address(text),
    };
    let extra = [extra("z", "192.0.2.9"), extra("a", "2001:db8::1")];
    assert_eq!(
        base_text(Loopback::Dual, &extra),
        "127.0.0.1\tlocalhost\n\
         ::1\tlocalhost ip6-localhost ip6-loopback\n\
         fe00::\tip6-localnet\n\
         ff00::\tip6-mcastprefix\n\
         ff02::1\tip6-allnodes\n\
         ff02::2\tip6-allrouters\n\
         192.0.2.9\tz\n\
         2001:db8::1\ta\n"
    );
    assert_eq!(base_text(Loopback::V4, &[]), "127.0.0.1\tlocalhost\n");
}

#[test]
fn an_endpoints_lines_show_the_full_name_and_then_the_short_one() {
    let addresses = [address("fd00::2"), address("10.0.0.2"), address("10.0.0.3")];
    let lines = |hostname: &str, domain: Option<&str>| {
        let domain = domain.map(|domain| domain.parse().unwrap());
        endpoint_lines(&addresses, &hostname.parse().unwrap(), domain.as_ref())
    };
    assert_eq!(
        lines("web", None),
        ["10.0.0.2\tweb", "10.0.0.3\tweb", "fd00::2\tweb"]
    );
    let full = lines("web", Some("example.com"));
    assert_eq!(full.first().unwrap(), "10.0.0.2\tweb.example.com web");
    assert_eq!(lines("web.example.com", None), full);
    assert!(endpoint_lines(&[], &"web".parse().unwrap(), None).is_empty());
}

#[test]
fn a_peers_lines_show_all_of_its_names() {
    let peer = owner(
        1,
        &["mysql", "db", "sql.internal"],
        &["fd00::3", "10.0.0.3"],
    );
    assert_eq!(
        peer_lines(&peer),
        [
            "10.0.0.3\tmysql db sql.internal",
            "fd00::3\tmysql db sql.internal"
        ]
    );
}
