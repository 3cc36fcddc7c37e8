//! The lines, to the byte.

use super::{address, owner};
use crate::error::Fault;
use crate::resolver::{
    ExtraHost, HostAddress, Loopback, base_text, endpoint_lines, host_text, link_lines, peer_lines,
};

fn extra(name: &str, text: &str) -> ExtraHost {
    ExtraHost {
        name: name.parse().unwrap(),
        address: address(text),
    }
}

fn asked(text: &str) -> ExtraHost<HostAddress> {
    text.parse().unwrap()
}

#[test]
fn the_base_text_is_dockers() {
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

#[test]
fn without_ipv6_on_the_loopback_interface_no_line_has_an_address_of_ipv6() {
    let extra = [extra("z", "192.0.2.9"), extra("z", "2001:db8::1")];
    assert_eq!(
        base_text(Loopback::V4, &extra),
        "127.0.0.1\tlocalhost\n192.0.2.9\tz\n"
    );
}

#[test]
fn the_hosts_own_file_is_copied_to_the_byte_unless_there_are_extra_hosts() {
    let host = "127.0.0.1 localhost\r\n# no line end";
    assert_eq!(host_text(host, Loopback::Dual, &[]), host);
    let extra = [extra("localhost", "192.0.2.9")];
    let text = host_text(host, Loopback::V4, &extra);
    assert_eq!(text, "127.0.0.1\tlocalhost\n192.0.2.9\tlocalhost\n");
}

#[test]
fn a_links_lines_show_alias_host_name_and_name_each_once() {
    let addresses = [address("fd00::2"), address("172.17.0.2")];
    let lines = |alias: &str, hostname: &str, name: &str| {
        let [alias, hostname] = [alias, hostname].map(|name| name.parse().unwrap());
        link_lines(&addresses, &alias, &hostname, &name.parse().unwrap())
    };
    assert_eq!(
        lines("db", "0123456789ab", "mysql"),
        [
            "172.17.0.2\tdb 0123456789ab mysql",
            "fd00::2\tdb 0123456789ab mysql"
        ]
    );
    let first = |alias, hostname, name| lines(alias, hostname, name).swap_remove(0);
    assert_eq!(first("mysql", "sql", "mysql"), "172.17.0.2\tmysql sql");
    assert_eq!(first("db", "mysql", "mysql"), "172.17.0.2\tdb mysql");
    assert_eq!(first("a", "a", "a"), "172.17.0.2\ta");
}

#[test]
fn a_host_gateway_becomes_a_line_for_each_address_of_the_host() {
    let gateways = [address("172.17.0.1"), address("fd00::1")];
    assert_eq!(
        asked("h:host-gateway").resolve(&gateways),
        Ok(vec![extra("h", "172.17.0.1"), extra("h", "fd00::1")])
    );
    assert_eq!(
        asked("h:::ffff:192.0.2.1").resolve(&[]),
        Ok(vec![extra("h", "192.0.2.1")])
    );
    let fault = asked("h:host-gateway").resolve(&[]).unwrap_err();
    assert_eq!(fault, Fault::NoHostGateway);
    assert_eq!(
        fault.to_string(),
        "unable to derive the IP value for host-gateway"
    );
}

#[test]
fn an_extra_host_is_read_as_docker_reads_it() {
    for (text, read) in [
        ("h:192.0.2.1", "h:192.0.2.1"),
        ("h=192.0.2.1", "h:192.0.2.1"),
        ("h:fd00::1", "h:fd00::1"),
        ("h=[fd00::1]", "h:fd00::1"),
        ("h=host-gateway", "h:host-gateway"),
    ] {
        assert_eq!(asked(text).to_string(), read);
        assert_eq!(asked(read), asked(text));
    }
    let bad = "h h: :192.0.2.1 h:[192.0.2.1] h:1.2.3 h:gateway h:HOST-GATEWAY h:fd00::1%eth0";
    for text in bad
        .split(' ')
        .chain(["", "h h:192.0.2.1", "h:192.0.2.1\n::1 x"])
    {
        assert!(text.parse::<ExtraHost<HostAddress>>().is_err(), "{text}");
    }
}
