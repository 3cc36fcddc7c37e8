//! What holds for every value of `addr`, whatever bytes it is made from: it parses or says why not,
//! and what parses prints as a text that means the same.

use std::fmt::{Debug, Display};
use std::net::Ipv4Addr;
use std::str::FromStr;

use bridgework::addr::{Reason, ValueKind};
use bridgework::{
    ContainerId, ContainerName, EndpointId, HostName, LinkIndex, LinkName, MacAddr, Mtu, NetworkId,
    NetworkName, ParseError, Subnet, Timestamp,
};
use proptest::prelude::*;

/// No file of past failures: the smallest failing input is printed, and belongs in a test.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

trait Value:
    FromStr<Err = ParseError>
    + for<'a> TryFrom<&'a [u8], Error = ParseError>
    + for<'a> TryFrom<&'a String, Error = ParseError>
    + TryFrom<String, Error = ParseError>
    + Display
    + Debug
    + PartialEq
{
}

impl<T> Value for T where
    T: FromStr<Err = ParseError>
        + for<'a> TryFrom<&'a [u8], Error = ParseError>
        + for<'a> TryFrom<&'a String, Error = ParseError>
        + TryFrom<String, Error = ParseError>
        + Display
        + Debug
        + PartialEq
{
}

fn parses_or_says_why<T: Value>(bytes: &[u8], kind: ValueKind) {
    let from_bytes = T::try_from(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let owned = text.to_owned();
            assert_eq!(text.parse(), from_bytes, "{text:?}");
            assert_eq!(T::try_from(&owned), from_bytes, "{text:?}");
            assert_eq!(T::try_from(owned), from_bytes, "{text:?}");
        }
        Err(_) => assert_eq!(
            from_bytes.as_ref().err().map(ParseError::reason),
            Some(&Reason::NotUtf8)
        ),
    }
    match from_bytes {
        Ok(value) => round_trips(&value),
        Err(error) => {
            assert_eq!(error.kind(), kind);
            assert!(String::from_utf8_lossy(bytes).starts_with(error.text()));
            assert!(error.text().chars().count() <= 64);
            assert!(!error.to_string().contains(char::is_control), "{error:?}");
        }
    }
}

fn round_trips<T: Value>(value: &T) {
    let text = value.to_string();
    let again: T = text.parse().expect("what was printed parses");
    assert_eq!(again, *value);
    assert_eq!(again.to_string(), text, "the canonical text stays as it is");
}

/// Any bytes, any text, and texts of the characters that values are made of, so that many parse.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        any::<String>().prop_map(String::into_bytes),
        "[a-z0-9_.-]{0,70}".prop_map(String::into_bytes),
        "[0-9]{0,11}".prop_map(String::into_bytes),
        "[0-9a-fA-F:./]{0,24}".prop_map(String::into_bytes),
        "([0-9a-f]{2}:){5}[0-9a-fA-F]{2}".prop_map(String::into_bytes),
        "[0-9]{1,3}(\\.[0-9]{1,3}){3}/[0-9]{1,2}".prop_map(String::into_bytes),
        "[0-9a-f]{63,65}".prop_map(String::into_bytes),
        "[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9+é]{1,11})?\
         (Z|z|[+-][0-2][0-9]:[0-6][0-9]|.{0,3})?"
            .prop_map(String::into_bytes),
        "[a-z][a-z.-]{0,8}[ \t\n\r\0#/:%'\"\u{85}\u{a0}\u{e0}][a-z]{0,4}"
            .prop_map(String::into_bytes),
    ]
}

macro_rules! parses_or_says_why {
    ($($name:ident: $type:ty, $kind:ident;)*) => {
        proptest! {
            #![proptest_config(config())]

            $(
                #[test]
                fn $name(bytes in any_bytes()) {
                    parses_or_says_why::<$type>(&bytes, ValueKind::$kind);
                }
            )*
        }
    };
}

parses_or_says_why! {
    any_bytes_are_a_subnet_or_not: Subnet, Subnet;
    any_bytes_are_a_mac_address_or_not: MacAddr, MacAddr;
    any_bytes_are_a_link_name_or_not: LinkName, LinkName;
    any_bytes_are_a_link_index_or_not: LinkIndex, LinkIndex;
    any_bytes_are_an_mtu_or_not: Mtu, Mtu;
    any_bytes_are_a_container_name_or_not: ContainerName, ContainerName;
    any_bytes_are_a_network_name_or_not: NetworkName, NetworkName;
    any_bytes_are_a_host_name_or_not: HostName, HostName;
    any_bytes_are_a_network_id_or_not: NetworkId, Id;
    any_bytes_are_an_endpoint_id_or_not: EndpointId, Id;
    any_bytes_are_a_container_id_or_not: ContainerId, Id;
    any_bytes_are_a_time_or_not: Timestamp, Timestamp;
}

fn is_safe_anywhere(name: &str, max_bytes: usize) {
    assert!(!name.is_empty() && name.len() <= max_bytes, "{name:?}");
    assert!(name != "." && name != "..", "{name:?}");
    let unsafe_char = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
    assert!(!name.contains(unsafe_char), "{name:?}");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_name_that_parses_is_safe_in_a_path_a_hosts_file_and_a_log(
        bytes in any_bytes(),
        text in "[a-z0-9._#/: -]{0,6}",
    ) {
        for bytes in [&bytes[..], text.as_bytes()] {
            if let Ok(name) = LinkName::try_from(bytes) {
                is_safe_anywhere(name.as_str(), 15);
                prop_assert!(!name.as_str().contains('%') && !bytes.contains(&0xa0));
            }
            let container = ContainerName::try_from(bytes);
            let network = NetworkName::try_from(bytes);
            prop_assert_eq!(container.is_ok(), network.is_ok());
            if let Ok(name) = container {
                is_safe_anywhere(name.as_str(), 128);
                prop_assert!(name.as_str().starts_with(|c: char| c.is_ascii_alphanumeric()));
                let host = HostName::from(&name);
                prop_assert_eq!(host.as_str(), name.as_str());
            }
            if let Ok(name) = HostName::try_from(bytes) {
                is_safe_anywhere(name.as_str(), 253);
                prop_assert!(name.as_str().split('.').all(|label| (1..=63).contains(&label.len())));
            }
        }
    }

    #[test]
    fn an_mtu_is_from_68_to_65535_bytes(bytes in prop_oneof![any::<u32>(), 0..70_000u32]) {
        let mtu = Mtu::new(bytes);
        prop_assert_eq!(mtu.is_ok(), (68..=65_535).contains(&bytes));
        prop_assert_eq!(mtu.clone().ok(), bytes.to_string().parse().ok());
        prop_assert_eq!(mtu.map(Mtu::bytes).unwrap_or(bytes), bytes);
    }

    #[test]
    fn a_link_index_is_a_positive_number_of_31_bits(number in any::<u32>()) {
        let index = LinkIndex::new(number);
        prop_assert_eq!(index.is_ok(), number != 0 && number < 1 << 31);
        prop_assert_eq!(index.map(LinkIndex::get).unwrap_or(number), number);
    }

    #[test]
    fn a_private_link_index_is_above_the_kernels_own_and_keeps_its_entropy(bytes in any::<[u8; 32]>()) {
        let entropy = |at: usize| u32::from_be_bytes([1, bytes[at], bytes[at + 1], bytes[at + 2]]);
        prop_assert_eq!(NetworkId::from_bytes(bytes).link_index().get(), entropy(29));
        prop_assert_eq!(EndpointId::from_bytes(bytes).host_link_index().get(), entropy(29));
        prop_assert_eq!(EndpointId::from_bytes(bytes).container_link_index().get(), entropy(26));
    }

    #[test]
    fn an_id_prints_its_bytes_and_begins_with_its_short_form(bytes in any::<[u8; 32]>()) {
        let id = ContainerId::from_bytes(bytes);
        round_trips(&id);
        prop_assert_eq!(id.bytes(), &bytes);
        prop_assert_eq!(id.short().len(), 12);
        prop_assert!(id.to_string().starts_with(&id.short()));
    }

    #[test]
    fn a_mac_address_is_never_multicast_nor_zero(
        bytes in any::<[u8; 6]>(),
        address in any::<u32>(),
    ) {
        let unicast = |bytes: [u8; 6]| bytes[0] & 1 == 0 && bytes != [0; 6];
        let text = bytes.map(|b| format!("{b:02X}")).join(":");
        let mac = MacAddr::new(bytes);
        prop_assert_eq!(mac.is_ok(), unicast(bytes));
        prop_assert_eq!(text.parse::<MacAddr>().ok(), mac.clone().ok());
        prop_assert!(mac.is_err() || mac.is_ok_and(|mac| mac.octets() == bytes));
        let made = [
            MacAddr::locally_administered(bytes),
            MacAddr::from_ipv4(Ipv4Addr::from_bits(address)),
        ];
        for mac in made {
            prop_assert!(unicast(mac.octets()) && mac.octets()[0] & 2 != 0);
            round_trips(&mac);
        }
    }

    #[test]
    fn a_link_local_address_has_the_bytes_of_its_mac_address(bytes in any::<[u8; 6]>()) {
        let [a, b, c, d, e, f] = MacAddr::locally_administered(bytes).octets();
        let expected = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f];
        let mac = MacAddr::locally_administered(bytes);
        prop_assert_eq!(mac.link_local().octets(), expected);
    }
}

#[test]
fn zero_and_multicast_mac_addresses_are_refused_by_name() {
    for bytes in [[0; 6], [1, 0, 0, 0, 0, 0], [0xff; 6]] {
        let error = MacAddr::new(bytes).unwrap_err();
        assert_eq!(error.reason(), &Reason::NotUnicast);
    }
}

fn message<T: Value>(text: &str) -> String {
    let error = text.parse::<T>().expect_err(text);
    let message = error.to_string();
    let (_, reason) = message
        .rsplit_once("\": ")
        .expect("the text stands in quotes");
    reason.to_owned()
}

fn refuses<T: Value>(cases: &[(&str, &str)]) {
    for (text, reason) in cases {
        assert_eq!(message::<T>(text), *reason, "{text:?}");
    }
}

/// Texts that parse and print unchanged.
fn accepts<T: Value>(texts: &[&str]) {
    for text in texts {
        let value: T = text
            .parse()
            .unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(value.to_string(), *text);
    }
}

#[test]
fn link_names_are_those_that_the_kernel_takes() {
    accepts::<LinkName>(&[
        "lo",
        "eth0",
        "br-0123456789ab",
        "fifteen-bytes-x",
        "eth0.100",
        ".x",
        "é",
        "日本",
        "a;b",
        "#",
    ]);
    refuses::<LinkName>(&[
        ("", "it is empty"),
        ("sixteen-bytes-xx", "it is longer than 15 bytes"),
        ("日本日本日本", "it is longer than 15 bytes"),
        (".", "it is reserved"),
        ("..", "it is reserved"),
        ("all", "it is reserved"),
        ("default", "it is reserved"),
        ("../x", "'/' at byte 2 is not allowed"),
        ("a/b", "'/' at byte 1 is not allowed"),
        ("eth%d", "'%' at byte 3 is not allowed"),
        ("eth0:1", "':' at byte 4 is not allowed"),
        ("a b", "' ' at byte 1 is not allowed"),
        ("eth0\n", "'\\n' at byte 4 is not allowed"),
        ("a\tb", "'\\t' at byte 1 is not allowed"),
        ("a\0b", "'\\0' at byte 1 is not allowed"),
        ("a\u{85}b", "'\\u{85}' at byte 1 is not allowed"),
        ("a\u{a0}b", "'\\u{a0}' at byte 1 is not allowed"),
        ("a\u{7f}", "'\\u{7f}' at byte 1 is not allowed"),
        ("voilà", "'à' at byte 4 is not allowed"),
    ]);
    let long = "x".repeat(300);
    assert_eq!(message::<LinkName>(&long), "it is longer than 15 bytes");
    assert_eq!(long.parse::<LinkName>().unwrap_err().text().len(), 64);
    assert_eq!(LinkName::numbered("eth", 7).unwrap().as_str(), "eth7");
    assert!(LinkName::numbered("elevenbytes", 12345).is_err());
}

#[test]
fn names_of_containers_and_networks_begin_with_a_letter_or_a_digit() {
    let long = "a".repeat(63);
    let fits = format!("{long}.{long}");
    accepts::<ContainerName>(&["mysql", "0", "a_b-c.d", "Web.1", &long, &fits]);
    accepts::<NetworkName>(&["hmall", "bridge", &fits]);
    let too_long = format!("{fits}.a");
    refuses::<ContainerName>(&[
        ("", "it is empty"),
        ("-x", "'-' at byte 0 is not allowed"),
        ("_x", "'_' at byte 0 is not allowed"),
        ("my sql", "' ' at byte 2 is not allowed"),
        ("a/b", "'/' at byte 1 is not allowed"),
        ("é", "'é' at byte 0 is not allowed"),
        (".", "expected labels of 1 to 63 bytes between the dots"),
        ("..", "expected labels of 1 to 63 bytes between the dots"),
        ("a..b", "expected labels of 1 to 63 bytes between the dots"),
        ("../x", "'/' at byte 2 is not allowed"),
        (&"x".repeat(300), "it is longer than 128 bytes"),
        (&format!("{too_long}x"), "it is longer than 128 bytes"),
    ]);
    refuses::<NetworkName>(&[("a\0", "'\\0' at byte 1 is not allowed")]);
}

#[test]
fn host_names_can_not_add_a_line_or_a_word_to_a_hosts_file() {
    let label = "a".repeat(63);
    let fits = [&label[..], &label, &label, &label[..61]].join(".");
    assert_eq!(fits.len(), 253);
    accepts::<HostName>(&["db", "db.internal", "_srv.a-b", "-", "DB", &label, &fits]);
    let labels = "expected labels of 1 to 63 bytes between the dots";
    refuses::<HostName>(&[
        ("", "it is empty"),
        ("db\n127.0.0.1 bank", "'\\n' at byte 2 is not allowed"),
        ("db\r", "'\\r' at byte 2 is not allowed"),
        ("db\tbank", "'\\t' at byte 2 is not allowed"),
        ("127.0.0.1", "expected a name and not an address"),
        ("db#", "'#' at byte 2 is not allowed"),
        ("db\u{85}bank", "'\\u{85}' at byte 2 is not allowed"),
        ("db\0", "'\\0' at byte 2 is not allowed"),
        ("db.", labels),
        (".db", labels),
        ("..", labels),
        (&"a".repeat(64), labels),
        (&format!("x.{}.y", "a".repeat(64)), labels),
        (&format!("{fits}a"), "it is longer than 253 bytes"),
        (&"x".repeat(300), "it is longer than 253 bytes"),
    ]);
}

#[test]
fn subnets_have_one_text_each() {
    accepts::<Subnet>(&[
        "10.0.0.0/24",
        "0.0.0.0/0",
        "255.255.255.255/32",
        "::/0",
        "fd00::/64",
        "::ffff:10.0.0.0/120",
    ]);
    assert_eq!(
        "FD00:0::/64".parse::<Subnet>().unwrap().to_string(),
        "fd00::/64"
    );
    let form = "expected an address and a prefix length, as in 10.0.0.0/24";
    refuses::<Subnet>(&[
        ("", form),
        ("10.0.0.0", form),
        ("10.0.0.0/", form),
        ("/24", form),
        ("10.0.0/24", form),
        ("10.0.0.0/24 ", form),
        ("10.0.0.0/+8", form),
        ("10.0.0.0/-1", form),
        ("10.0.0.0/024", form),
        ("010.0.0.0/8", form),
        ("10.0.0.0/255.0.0.0", form),
        ("10.0.0.0/8/8", form),
        ("fe80::%eth0/64", form),
        ("10.0.0.0/33", "it must be from 0 to 32"),
        ("10.0.0.0/99999", "it must be from 0 to 32"),
        ("fd00::/129", "it must be from 0 to 128"),
        ("10.0.0.1/24", "it should be 10.0.0.0/24"),
        ("11.0.0.0/7", "it should be 10.0.0.0/7"),
        ("fd00::1/64", "it should be fd00::/64"),
    ]);
}

#[test]
fn numbers_are_decimal_digits_within_their_range() {
    accepts::<Mtu>(&["68", "1280", "1500", "65535"]);
    accepts::<LinkIndex>(&["1", "2147483647"]);
    for text in ["", "+1500", "-1", "0x5dc", " 1500", "1500\n", "1e3"] {
        assert_eq!(message::<Mtu>(text), "expected a number");
    }
    for text in ["0", "67", "65536", "4294967296", "99999999999999999999"] {
        assert_eq!(message::<Mtu>(text), "it must be from 68 to 65535");
    }
    for text in ["0", "2147483648", "4294967296"] {
        assert_eq!(
            message::<LinkIndex>(text),
            "it must be from 1 to 2147483647"
        );
        assert_eq!(text.parse::<LinkIndex>().unwrap_err().text(), text);
    }
}

#[test]
fn mac_addresses_and_ids_have_one_form() {
    accepts::<MacAddr>(&["02:42:ac:11:00:02", "00:00:00:00:00:01"]);
    let form = "expected six pairs of hex digits, joined by colons";
    refuses::<MacAddr>(&[
        ("", form),
        ("02:42:ac:11:00", form),
        ("02:42:ac:11:00:02:03", form),
        ("02-42-ac-11-00-02", form),
        ("2:42:ac:11:0:2", form),
        ("+2:42:ac:11:00:02", form),
        ("02:42:ac:11:00:0g", form),
        ("01:00:5e:00:00:01", "no interface can have it"),
        ("00:00:00:00:00:00", "no interface can have it"),
    ]);
    accepts::<NetworkId>(&[&"0a".repeat(32)]);
    let form = "expected 64 lower-case hex digits";
    refuses::<NetworkId>(&[
        ("", form),
        (&"0A".repeat(32), form),
        (&"0".repeat(63), form),
        (&"0".repeat(65), form),
        (&"é".repeat(32), form),
    ]);
}

#[cfg(feature = "serde")]
#[test]
fn values_are_stored_as_their_texts_and_checked_when_read() {
    let subnet: Subnet = "10.0.0.0/24".parse().unwrap();
    let json = serde_json::to_string(&subnet).unwrap();
    assert_eq!(json, "\"10.0.0.0/24\"");
    assert_eq!(serde_json::from_str::<Subnet>(&json).unwrap(), subnet);
    let error = serde_json::from_str::<Subnet>("\"10.0.0.1/24\"").unwrap_err();
    assert!(
        error.to_string().contains("it should be 10.0.0.0/24"),
        "{error}"
    );
    assert!(serde_json::from_str::<HostName>("\"a\\nb\"").is_err());
    let mtu: Mtu = serde_json::from_str("1500").unwrap();
    assert_eq!(mtu, Mtu::ETHERNET);
}

#[test]
fn a_time_of_another_zone_is_the_moment_that_it_means() {
    for (text, utc) in [
        ("2026-11-21T06:44:00Z", "2026-11-21T06:44:00.000000000Z"),
        (
            "2026-11-21T06:44:00.5+00:00",
            "2026-11-21T06:44:00.500000000Z",
        ),
        (
            "2026-11-21T00:30:00+02:00",
            "2026-11-20T22:30:00.000000000Z",
        ),
        (
            "2026-12-31T20:00:00-11:30",
            "2027-01-01T07:30:00.000000000Z",
        ),
        (
            "9999-12-31T23:59:59-01:00",
            "9999-12-31T23:59:59.000000000Z",
        ),
    ] {
        let moment: Timestamp = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(moment.to_string(), utc);
    }
    let form = "expected a moment as in 2026-11-21T06:44:00Z";
    refuses::<Timestamp>(&[
        ("", form),
        ("2026-11-21", form),
        ("2026-11-21T06:44:00", form),
        ("2026-11-21 06:44:00Z", form),
        ("2026-11-21T06:44:00+2:00", form),
        ("2026-11-21T06:44:00+02:60", form),
        ("2026-11-21T06:44:00+24:00", form),
        ("2026-11-21T06:44:00Z+02:00", form),
        ("2026-11-21T06:44:00ZZ", form),
        ("2026-11-21T06:44:00.Z", form),
        ("2026-11-21T06:44:00.5xZ", form),
        ("2026-02-29T06:44:00Z", form),
        ("1969-12-31T23:59:59Z", form),
        ("1970-01-01T00:00:00+00:01", form),
    ]);
}
