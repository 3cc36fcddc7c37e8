//! The values that options are made of: ports, settings of interfaces, prefixes of their names.
//! They parse or say why not, and what parses prints as a text that means the same.

use std::fmt::{Debug, Display};
use std::net::IpAddr;
use std::str::FromStr;

use bridgework::addr::{Reason, SysctlTable, ValueKind};
use bridgework::{
    Family, LinkPrefix, LinkSysctl, ParseError, Port, PortMapping, PortRange, Protocol,
};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// No file of past failures: the smallest failing input is printed, and belongs in a test.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn round_trips<T>(text: &str)
where
    T: FromStr<Err = ParseError> + Display + Debug + PartialEq,
    T: for<'a> TryFrom<&'a [u8], Error = ParseError>,
{
    let value = text.parse::<T>();
    assert_eq!(T::try_from(text.as_bytes()), value);
    match value {
        Ok(value) => assert_eq!(value.to_string().parse(), Ok(value)),
        Err(error) => {
            let shown = error.to_string();
            assert!(
                !shown.contains(char::is_control) && shown.chars().count() < 400,
                "{shown}"
            );
        }
    }
}

fn range() -> impl Strategy<Value = PortRange> {
    (1..=65_535u32, 1..=65_535u32).prop_map(|(a, b)| {
        let port = |number| Port::new(number).expect("it is in range");
        PortRange::new(port(a.min(b)), port(a.max(b))).expect("it is in order")
    })
}

fn mapping() -> impl Strategy<Value = PortMapping> {
    let address = option::of(any::<IpAddr>());
    let protocol = select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp]);
    let host = option::of((range(), any::<bool>()));
    (address, host, range(), protocol).prop_map(|(address, host, container, protocol)| {
        let mut mapping = PortMapping::new(container, protocol);
        if let Some(address) = address {
            mapping = mapping.at(address);
        }
        match host {
            None => mapping,
            Some((_, true)) => mapping.by(container).expect("they are as many"),
            Some((host, false)) => {
                let alone = PortMapping::new(container.first(), protocol);
                let alone = address.map_or(alone, |address| alone.at(address));
                alone.by(host).expect("one may be any of several")
            }
        }
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_text_parses_or_says_why_not(
        any in any::<String>(),
        ports in "(\\[[0-9a-f:.]{0,9}\\]|[0-9.]{0,9})?:{0,2}[0-9]{0,5}-?[0-9]{0,5}:?[0-9-]{0,11}(/[a-zA-Z]{0,4})?",
        sysctl in "(net\\.)?(ipv4|ipv6|mpls|x)\\.(conf|neigh|route)\\.(IFNAME|eth0)\\.?[a-z_./]{0,9}=?[0-9 :-]{0,4}",
    ) {
        for text in [&any, &ports, &sysctl] {
            round_trips::<Port>(text);
            round_trips::<PortRange>(text);
            round_trips::<Protocol>(text);
            round_trips::<PortMapping>(text);
            round_trips::<LinkSysctl>(text);
            round_trips::<LinkPrefix>(text);
        }
    }

    #[test]
    fn every_port_mapping_prints_as_a_text_that_means_it(mapping in mapping()) {
        prop_assert_eq!(mapping.to_string().parse(), Ok(mapping));
        let (host, container) = (mapping.host_ports(), mapping.container_ports());
        let counts = host.map(|host| (host.count(), container.count()));
        prop_assert!(counts.is_none_or(|(host, container)| container == 1 || container == host));
    }

    #[test]
    fn the_ports_of_a_range_are_as_many_as_it_counts(range in range()) {
        prop_assert_eq!(range.ports().count(), usize::from(range.count()));
        prop_assert_eq!(range.ports().next(), Some(range.first()));
        prop_assert_eq!(range.ports().last(), Some(range.last()));
    }

    #[test]
    fn a_setting_leads_to_no_path_but_one_of_its_interface(text in "net\\.ipv4\\.conf\\.IFNAME\\.[a-z./ \0]{0,9}=1") {
        if let Ok(setting) = text.parse::<LinkSysctl>() {
            let path = setting.path(&"eth0".parse().unwrap());
            let key = path.strip_prefix("net/ipv4/conf/eth0/").expect("it is of the interface");
            prop_assert!(key.bytes().all(|b| b.is_ascii_lowercase()), "{path:?}");
        }
    }
}

#[test]
fn published_ports_have_the_forms_that_docker_takes() {
    for (text, canonical) in [
        ("80", "80/tcp"),
        (":80", "80/tcp"),
        ("80/UDP", "80/udp"),
        ("8080:80", "8080:80/tcp"),
        ("8080-8080:80-80", "8080:80/tcp"),
        ("8080-8082:80-82/sctp", "8080-8082:80-82/sctp"),
        ("8080-8090:80", "8080-8090:80/tcp"),
        ("80-82", "80-82/tcp"),
        ("127.0.0.1::80", "127.0.0.1::80/tcp"),
        ("127.0.0.1:8080:80", "127.0.0.1:8080:80/tcp"),
        ("0.0.0.0:8080:80", "0.0.0.0:8080:80/tcp"),
        ("[::]:8080:80", "[::]:8080:80/tcp"),
        ("[0:0::1]::80", "[::1]::80/tcp"),
        ("0:80", "80/tcp"),
        ("127.0.0.1:0:8080", "127.0.0.1::8080/tcp"),
        ("[::1]:0:80/udp", "[::1]::80/udp"),
        (":8080:80", "8080:80/tcp"),
        ("::80", "80/tcp"),
        ("::1:8080:80", "[::1]:8080:80/tcp"),
        ("::1::80", "[::1]::80/tcp"),
        (":::8080:80", "[::]:8080:80/tcp"),
        (
            "2001:db8::2:8080-8081:80-81",
            "[2001:db8::2]:8080-8081:80-81/tcp",
        ),
        ("80/", "80/tcp"),
        ("8080:80/", "8080:80/tcp"),
    ] {
        let mapping: PortMapping = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(mapping.to_string(), canonical, "{text}");
    }
}

#[test]
fn published_ports_of_no_form_say_what_is_wrong_with_them() {
    let whole = "expected [HOST-ADDRESS:][HOST-PORTS:]CONTAINER-PORTS[/PROTOCOL]";
    for (text, error) in [
        ("", "invalid published port \"\": it is empty".to_owned()),
        (":", "invalid port range \"\": expected a number".to_owned()),
        (
            "8080:",
            "invalid port range \"\": expected a number".to_owned(),
        ),
        (
            "0",
            "invalid port range \"0\": it must be from 1 to 65535".to_owned(),
        ),
        (
            "65536",
            "invalid port range \"65536\": it must be from 1 to 65535".to_owned(),
        ),
        (
            "0-2:80",
            "invalid port range \"0-2\": it must be from 1 to 65535".to_owned(),
        ),
        (
            "0:80-81",
            "invalid published port \"0:80-81\": 1 of the host's ports for 2 of the container's"
                .to_owned(),
        ),
        (
            "8080:0",
            "invalid port range \"0\": it must be from 1 to 65535".to_owned(),
        ),
        (
            "90-80",
            "invalid port range \"90-80\": it ends before it begins".to_owned(),
        ),
        (
            "80-",
            "invalid port range \"80-\": expected a number".to_owned(),
        ),
        (
            "1-2-3",
            "invalid port range \"1-2-3\": expected a number".to_owned(),
        ),
        (
            "+80",
            "invalid port range \"+80\": expected a number".to_owned(),
        ),
        (
            "/tcp",
            "invalid port range \"\": expected a number".to_owned(),
        ),
        (
            "80/icmp",
            "invalid protocol \"icmp\": expected tcp, udp or sctp".to_owned(),
        ),
        (
            "8080-8082:80-81",
            "invalid published port \"8080-8082:80-81\": 3 of the host's ports for 2 of the \
             container's"
                .to_owned(),
        ),
        (
            "127.0.0.1:80",
            "invalid port range \"127.0.0.1\": expected a number".to_owned(),
        ),
        (
            ":::80",
            format!("invalid published port \":::80\": {whole}"),
        ),
        (
            "2001:db8::1:80",
            format!("invalid published port \"2001:db8::1:80\": {whole}"),
        ),
        (
            "[::1]:80",
            format!("invalid published port \"[::1]:80\": {whole}"),
        ),
        (
            "[127.0.0.1]::80",
            format!("invalid published port \"[127.0.0.1]::80\": {whole}"),
        ),
        (
            "web:8080:80",
            format!("invalid published port \"web:8080:80\": {whole}"),
        ),
        (
            "[fe80::1%eth0]::80",
            format!("invalid published port \"[fe80::1%eth0]::80\": {whole}"),
        ),
    ] {
        let refusal = text.parse::<PortMapping>().expect_err(text);
        assert_eq!(refusal.to_string(), error, "{text:?}");
    }
}

#[test]
fn settings_are_those_of_one_interface_alone() {
    let setting: LinkSysctl = "net.ipv6.neigh.IFNAME.gc_stale_time=30".parse().unwrap();
    assert_eq!(
        (setting.family(), setting.table()),
        (Family::V6, SysctlTable::Neigh)
    );
    assert_eq!((setting.key(), setting.value()), ("gc_stale_time", "30"));
    let form = "expected net.FAMILY.TABLE.IFNAME.KEY=VALUE, of family ipv4 or ipv6 and table conf \
                or neigh";
    let ifname = "expected IFNAME where the interface's name stands";
    let long = format!("net.ipv4.conf.IFNAME.{}=1", "a".repeat(65));
    for (text, reason) in [
        ("", form),
        ("net.ipv4.conf.IFNAME.x", form),
        ("net.ipv4.ip_forward=1", form),
        ("kernel.core_pattern=x", form),
        ("net.ipv4.conf.IFNAME.a.b=1", form),
        ("net.ipv4.route.IFNAME.x=1", form),
        ("net.ipv4.conf.IFNAME.=1", form),
        ("net.ipv4.conf.IFNAME.x=", form),
        ("net.ipv4.conf.all.x=1", ifname),
        ("net.ipv4.conf.eth0.x=1", ifname),
        ("net.ipv4.conf.ifname.x=1", ifname),
        ("net.ipv4.conf.IFNAME./x=1", "'/' at byte 21 is not allowed"),
        ("net.ipv4.conf.IFNAME.X=1", "'X' at byte 21 is not allowed"),
        (
            "net.ipv4.conf.IFNAME.x=1\n",
            "'\\n' at byte 24 is not allowed",
        ),
        (
            "net.ipv4.conf.IFNAME.x=a=b",
            "'=' at byte 24 is not allowed",
        ),
        (
            "net.ipv4.conf.IFNAME.x= 1",
            "expected a value without spaces around it",
        ),
        (&long, "it is longer than 64 bytes"),
        ("net.mpls.conf.IFNAME.input=1", "mpls is not supported"),
    ] {
        let refusal = text.parse::<LinkSysctl>().expect_err(text);
        assert_eq!(refusal.kind(), ValueKind::LinkSysctl);
        assert_eq!(refusal.reason().to_string(), reason, "{text:?}");
    }
    let mpls = "net.mpls.conf.IFNAME.input=1"
        .parse::<LinkSysctl>()
        .unwrap_err();
    assert_eq!(mpls.reason(), &Reason::Unsupported { what: "mpls" });
}

#[test]
fn a_prefix_leaves_room_for_a_digit_and_is_a_link_s_name_with_it() {
    for text in ["eth", "fourteen-bytes", "all", ".", "0"] {
        let prefix: LinkPrefix = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(prefix.numbered(7).unwrap().as_str(), format!("{text}7"));
    }
    let prefix: LinkPrefix = "fourteen-bytes".parse().unwrap();
    prefix.numbered(10).unwrap_err();
    for (text, reason) in [
        ("", "it is empty"),
        ("fourteen-bytes-", "it is longer than 14 bytes"),
        ("a/", "'/' at byte 1 is not allowed"),
        ("a b", "' ' at byte 1 is not allowed"),
        ("eth%d", "'%' at byte 3 is not allowed"),
    ] {
        let refusal = text.parse::<LinkPrefix>().expect_err(text);
        assert_eq!(refusal.kind(), ValueKind::LinkPrefix);
        assert_eq!(
            (refusal.text(), refusal.reason().to_string().as_str()),
            (text, reason)
        );
    }
}
