//! The text of `resolv.conf` in every mode, to the byte, and laws of what is read and written.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::plan::Side;
use crate::resolver::{
    DnsOption, NameServer, ResolvConf, ResolvMode, ResolvOverrides, SearchDomain, nameservers,
    resolv_text,
};

const ETC: &str = "/etc/resolv.conf";
const MODES: [ResolvMode; 4] = [
    ResolvMode::Host,
    ResolvMode::DirectV4,
    ResolvMode::DirectDual,
    ResolvMode::Internal,
];

fn none() -> ResolvOverrides {
    ResolvOverrides::default()
}

/// `--dns`, `--dns-search`, `--dns-option`, with spaces in between.
fn chosen(servers: &str, search: &str, options: &str) -> ResolvOverrides {
    ResolvOverrides {
        nameservers: servers
            .split_ascii_whitespace()
            .map(|s| s.parse().unwrap())
            .collect(),
        search: search
            .split_ascii_whitespace()
            .map(|s| s.parse().unwrap())
            .collect(),
        options: options
            .split_ascii_whitespace()
            .map(|s| s.parse().unwrap())
            .collect(),
    }
}

/// The text below the header.
fn body(host: &str, overrides: &ResolvOverrides, mode: ResolvMode) -> String {
    let made = resolv_text(&ResolvConf::parse(host), ETC, overrides, mode).text;
    let (header, body) = made.split_at(made.find('\n').unwrap() + 1);
    assert!(header.starts_with("# "), "{header}");
    body.strip_prefix('\n')
        .expect("an empty line behind the header")
        .to_owned()
}

#[track_caller]
fn check(host: &str, overrides: &ResolvOverrides, mode: ResolvMode, expected: &[&str]) {
    let lines = expected.iter().map(|line| format!("{line}\n"));
    assert_eq!(body(host, overrides, mode), lines.collect::<String>());
}

#[test]
fn the_hosts_stack_has_the_hosts_servers_even_those_on_loopback() {
    check(
        "# by hand\nnameserver 127.0.0.53\nnameserver fe80::1%eth0\n\noptions edns0 trust-ad\nsearch .\n",
        &none(),
        ResolvMode::Host,
        &[
            "nameserver 127.0.0.53",
            "nameserver fe80::1%eth0",
            "search .",
            "options edns0 trust-ad",
            "",
            "# Based on host file: '/etc/resolv.conf'",
            "# Overrides: []",
        ],
    );
}

#[test]
fn a_container_that_asks_itself_gets_no_loopback_server_of_the_hosts() {
    let host = "nameserver 127.0.0.53\nnameserver ::1\nnameserver 10.0.0.2\nnameserver fd00::2\n";
    let trailer = [
        "",
        "# Based on host file: '/etc/resolv.conf' (legacy)",
        "# Overrides: []",
    ];
    let with = |servers: &[&'static str]| [servers, &trailer].concat();
    let v4 = with(&["nameserver 10.0.0.2"]);
    check(host, &none(), ResolvMode::DirectV4, &v4);
    let dual = with(&["nameserver 10.0.0.2", "nameserver fd00::2"]);
    check(host, &none(), ResolvMode::DirectDual, &dual);
    let mapped = format!("nameserver ::ffff:127.0.0.1\n{host}");
    check(&mapped, &none(), ResolvMode::DirectDual, &dual);
}

#[test]
fn where_no_server_is_left_there_are_googles() {
    let v4 = ["nameserver 8.8.8.8", "nameserver 8.8.4.4"];
    let v6 = [
        "nameserver 2001:4860:4860::8888",
        "nameserver 2001:4860:4860::8844",
    ];
    let trailer = [
        "",
        "# Based on host file: '/etc/resolv.conf' (legacy)",
        "# Used default nameservers.",
        "# Overrides: []",
    ];
    for host in ["", "nameserver 127.0.0.53\n", "nameserver ::1"] {
        let alone = [&v4[..], &trailer].concat();
        check(host, &none(), ResolvMode::DirectV4, &alone);
        let both = [&v4[..], &v6, &trailer].concat();
        check(host, &none(), ResolvMode::DirectDual, &both);
    }
}

#[test]
fn servers_that_the_caller_chose_stay_whatever_they_are() {
    check(
        "nameserver 10.0.0.2\n",
        &chosen("127.0.0.1 ::1", "", ""),
        ResolvMode::DirectV4,
        &[
            "nameserver 127.0.0.1",
            "nameserver ::1",
            "",
            "# Based on host file: '/etc/resolv.conf' (legacy)",
            "# Overrides: [nameservers]",
        ],
    );
}

#[test]
fn on_user_defined_networks_the_hosts_servers_are_asked_by_the_internal_one() {
    let host = "nameserver 127.0.0.53\nnameserver fd00::2\ndomain shop.test\noptions rotate\noptions edns0\n";
    check(
        host,
        &none(),
        ResolvMode::Internal,
        &[
            "nameserver 127.0.0.11",
            "search shop.test",
            "options rotate edns0 ndots:0",
            "",
            "# Based on host file: '/etc/resolv.conf' (internal resolver)",
            "# ExtServers: [host(127.0.0.53) host(fd00::2)]",
            "# Overrides: []",
            "# Option ndots from: internal",
        ],
    );
    let made = resolv_text(&ResolvConf::parse(host), ETC, &none(), ResolvMode::Internal);
    let asked: Vec<_> = made
        .upstreams
        .iter()
        .map(|upstream| (upstream.server.to_string(), upstream.side))
        .collect();
    assert_eq!(
        asked,
        [
            ("127.0.0.53".to_owned(), Side::Host),
            ("fd00::2".to_owned(), Side::Host)
        ]
    );
}

#[test]
fn all_that_the_caller_chose_stands_in_the_place_of_the_hosts() {
    let overrides = chosen("10.0.0.9 127.0.0.1", "a.test . b.test.", "ndots:2 rotate");
    let host = "nameserver 10.0.0.2\nsearch c.test\noptions edns0\n";
    check(
        host,
        &overrides,
        ResolvMode::Internal,
        &[
            "nameserver 127.0.0.11",
            "search a.test b.test",
            "options ndots:2 rotate",
            "",
            "# Based on host file: '/etc/resolv.conf' (internal resolver)",
            "# ExtServers: [10.0.0.9 127.0.0.1]",
            "# Overrides: [nameservers search options]",
            "# Option ndots from: override",
        ],
    );
    let made = resolv_text(
        &ResolvConf::parse(host),
        ETC,
        &overrides,
        ResolvMode::Internal,
    );
    let sides = made.upstreams.iter().map(|upstream| upstream.side);
    assert!(sides.eq([Side::Container, Side::Container]));
}

#[test]
fn a_dot_alone_takes_the_hosts_search_domains_away() {
    check(
        "nameserver 10.0.0.2\nsearch c.test\n",
        &chosen("", ".", ""),
        ResolvMode::DirectV4,
        &[
            "nameserver 10.0.0.2",
            "",
            "# Based on host file: '/etc/resolv.conf' (legacy)",
            "# Overrides: [search]",
        ],
    );
}

#[test]
fn an_ndots_that_is_a_number_is_kept_and_any_other_replaced() {
    let last_lines = |host: &str, options: &str| {
        let text = body(host, &chosen("", "", options), ResolvMode::Internal);
        let line = |start: &str| text.lines().find(|line| line.starts_with(start));
        let [options, from] = ["options ", "# Option ndots from: "].map(|start| {
            let rest = line(start).and_then(|line| line.strip_prefix(start));
            rest.unwrap_or_default().to_owned()
        });
        (options, from)
    };
    let pair = |options: &str, from: &str| (options.to_owned(), from.to_owned());
    for (host, options, expected) in [
        ("options ndots:1", "", pair("ndots:1", "host")),
        ("options ndots:1 x ndots:", "", pair("ndots:1 x", "host")),
        (
            "options ndots:-1 x ndots",
            "",
            pair("x ndots:0", "internal"),
        ),
        (
            "options ndots:1",
            "rotate",
            pair("rotate ndots:0", "internal"),
        ),
        ("options ndots:1", "ndots:3", pair("ndots:3", "override")),
        ("", "ndots:x", pair("ndots:0", "internal")),
    ] {
        assert_eq!(last_lines(host, options), expected, "{host}, {options}");
    }
}

#[test]
fn a_host_without_servers_leaves_the_internal_one_alone() {
    check(
        "",
        &none(),
        ResolvMode::Internal,
        &[
            "nameserver 127.0.0.11",
            "options ndots:0",
            "",
            "# Based on host file: '/etc/resolv.conf' (internal resolver)",
            "# NO EXTERNAL NAMESERVERS DEFINED",
            "# Overrides: []",
            "# Option ndots from: internal",
        ],
    );
}

#[test]
fn lines_that_we_do_not_know_are_kept_and_bad_servers_are_named() {
    check(
        "sortlist 10.0.0.0/8\r\nnameserver 1.2.3.4.5 x\nnameserver\n;nameserver 10.0.0.9\n  family inet4\n\
         nameserver 10.0.0.1%eth0\nsearch\noptions\nnameserver 10.0.0.2",
        &none(),
        ResolvMode::DirectV4,
        &[
            "nameserver 10.0.0.2",
            "sortlist 10.0.0.0/8",
            "  family inet4",
            "",
            "# Based on host file: '/etc/resolv.conf' (legacy)",
            "# Invalid nameservers: [1.2.3.4.5 10.0.0.1%eth0]",
            "# Overrides: []",
        ],
    );
}

#[test]
fn only_the_stub_alone_is_the_stub() {
    for (text, is_stub) in [
        ("nameserver 127.0.0.53", true),
        ("nameserver 127.0.0.53\nnameserver x", true),
        ("nameserver 127.0.0.54", false),
        ("nameserver 127.0.0.53\nnameserver 127.0.0.53", false),
        ("", false),
    ] {
        assert_eq!(ResolvConf::parse(text).is_stub(), is_stub, "{text}");
    }
}

#[test]
fn a_path_does_not_end_its_comment() {
    let path = "/tmp/a\nnameserver 192.0.2.1\r";
    let made = resolv_text(&ResolvConf::default(), path, &none(), ResolvMode::Host);
    assert_eq!(nameservers(&made.text), [] as [std::net::IpAddr; 0]);
    assert_eq!(made.text.lines().count(), 5);
}

/// Any text, or one of what such files are made of.
fn text() -> impl Strategy<Value = String> {
    let words = prop_oneof![
        Just("nameserver"),
        Just("search"),
        Just("domain"),
        Just("options"),
        Just("#"),
        Just(";x"),
        Just(" "),
        Just("\t"),
        Just("\n"),
        Just("\n"),
        Just("\r"),
        Just("\u{85}"),
        Just("\u{2028}"),
        Just("\0"),
        Just("10.0.0.2"),
        Just("fe80::1%x"),
        Just("ndots:1"),
        Just("a.test"),
        Just("é"),
    ];
    let words = vec(words, 0..40).prop_map(|words| words.join(" "));
    prop_oneof![any::<String>(), words, "[ -~\n]{0,40}"]
}

/// What parses of any texts that mean harm.
fn overrides() -> impl Strategy<Value = ResolvOverrides> {
    let word = || prop_oneof![text(), "[!-~]{1,12}(\n[!-~]{1,12})?", "[a-z.]{1,9}[ \r\n]?"];
    (vec(word(), 0..8), vec(word(), 0..8), vec(word(), 0..8)).prop_map(
        |(servers, search, options)| ResolvOverrides {
            nameservers: servers.iter().filter_map(|s| s.parse().ok()).collect(),
            search: search.iter().filter_map(|s| s.parse().ok()).collect(),
            options: options.iter().filter_map(|s| s.parse().ok()).collect(),
        },
    )
}

proptest! {
    #[test]
    fn what_is_printed_reads_as_it_was(text in text()) {
        let conf = ResolvConf::parse(&text);
        let printed = conf.to_string();
        let again = ResolvConf::parse(&printed);
        prop_assert_eq!(again.to_string(), printed);
        prop_assert_eq!(again.nameservers(), conf.nameservers());
        prop_assert_eq!(again.search(), conf.search());
        prop_assert_eq!(again.options(), conf.options());
    }

    #[test]
    fn a_file_that_was_generated_is_generated_again_from_itself(text in text()) {
        for mode in MODES {
            let again = |text: &str| resolv_text(&ResolvConf::parse(text), ETC, &none(), mode).text;
            let settled = ResolvConf::parse(&again(&text));
            prop_assert_eq!(ResolvConf::parse(&again(&settled.to_string())), settled);
        }
    }

    #[test]
    fn no_choice_makes_a_line_of_its_own(text in text(), overrides in overrides()) {
        let host = ResolvConf::parse(&text);
        for mode in MODES {
            let made = resolv_text(&host, ETC, &overrides, mode).text;
            let read = ResolvConf::parse(&made);
            let starts = |word: &str| {
                let begins = |line: &&str| line.split_whitespace().next() == Some(word);
                made.lines().filter(begins).count()
            };
            prop_assert_eq!(starts("nameserver"), read.nameservers().len());
            prop_assert!(starts("search") <= 1 && starts("options") <= 1 && starts("domain") == 0);
            let chosen = &overrides.nameservers;
            if mode == ResolvMode::Internal {
                prop_assert_eq!(read.nameservers().len(), 1);
            } else if !chosen.is_empty() {
                prop_assert_eq!(read.nameservers(), chosen.as_slice());
            }
            if !overrides.search.is_empty() {
                let names = overrides.search.iter().filter(|d| **d != SearchDomain::Root);
                let names: Vec<String> = names.map(ToString::to_string).collect();
                prop_assert_eq!(read.search(), names);
            }
            if !overrides.options.is_empty() && mode != ResolvMode::Internal {
                let options: Vec<&str> = overrides.options.iter().map(DnsOption::as_str).collect();
                prop_assert_eq!(read.options(), options);
            }
        }
    }

    #[test]
    fn a_word_that_parses_prints_as_one_that_is_the_same(text in "[ -~\n\r\t]{0,12}|([a-f0-9:.]{1,9}%)?[!-~]{1,9}") {
        if let Ok(server) = text.parse::<NameServer>() {
            prop_assert_eq!(server.to_string().parse(), Ok(server));
        }
        if let Ok(domain) = text.parse::<SearchDomain>() {
            prop_assert_eq!(domain.to_string().parse(), Ok(domain));
        }
        if let Ok(option) = text.parse::<DnsOption>() {
            prop_assert_eq!(option.to_string(), text);
        }
    }
}
