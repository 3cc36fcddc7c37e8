//! Which networks a list shows and a prune removes.

use std::time::Duration;

use bridgework::addr::Reason;
use bridgework::inspect::{FilterTerm, NetworkFilter, PruneFilter, PruneTerm, Scope, Until};
use bridgework::plan::Switch;
use bridgework::spec::{NetworkSpec, Origin};
use bridgework::{NetworkId, Timestamp};
use proptest::prelude::*;

use crate::specs::network;

fn labelled(name: &str, labels: &[(&str, &str)]) -> NetworkSpec {
    let mut spec = network(name, NetworkId::from_bytes([0xab; 32]));
    let owned = |(key, value): &(&str, &str)| (key.to_string(), value.to_string());
    spec.labels = labels.iter().map(owned).collect();
    spec
}

/// Whether a list with these filters shows `network`.
fn shows(network: &NetworkSpec, endpoints: usize, texts: &[&str]) -> bool {
    let filter = NetworkFilter::parse(texts).unwrap();
    filter.matches(network, endpoints)
}

#[test]
fn without_terms_everything_is_shown() {
    assert!(shows(&labelled("web", &[]), 0, &[]));
}

#[test]
fn a_name_is_matched_in_part_and_anchors_make_it_whole() {
    let web = labelled("my-web-1", &[]);
    for shown in [
        "name=web",
        "name=my-web-1",
        "name=^my",
        "name=1$",
        "name=^my-web-1$",
        "name=",
    ] {
        assert!(shows(&web, 0, &[shown]), "{shown}");
    }
    for hidden in [
        "name=WEB",
        "name=^web",
        "name=web$",
        "name=^my-web$",
        "name=my.web",
    ] {
        assert!(!shows(&web, 0, &[hidden]), "{hidden}");
    }
}

#[test]
fn an_id_is_matched_in_part() {
    let web = labelled("web", &[]);
    assert!(shows(&web, 0, &["id=abab"]) && shows(&web, 0, &["id=baba"]));
    assert!(!shows(&web, 0, &["id=abc"]) && !shows(&web, 0, &["id=^ba"]));
}

#[test]
fn a_driver_and_a_scope_are_matched_whole() {
    let web = labelled("web", &[]);
    assert!(shows(&web, 0, &["driver=bridge"]) && shows(&web, 0, &["scope=local"]));
    for hidden in ["driver=brid", "driver=host", "scope=swarm", "scope=global"] {
        assert!(!shows(&web, 0, &[hidden]), "{hidden}");
    }
}

#[test]
fn of_several_terms_with_one_key_any_will_do_and_of_the_keys_all_must() {
    let web = labelled("web", &[]);
    assert!(shows(&web, 0, &["name=db", "name=web"]));
    assert!(shows(&web, 0, &["name=db", "driver=bridge", "name=web"]));
    assert!(!shows(&web, 0, &["name=web", "driver=host"]));
    assert!(shows(&web, 0, &["type=builtin", "type=custom"]));
}

#[test]
fn of_labels_all_must_be_there() {
    let web = labelled("web", &[("project", "shop"), ("tier", "")]);
    for shown in [
        "label=project",
        "label=project=shop",
        "label=tier",
        "label=tier=",
    ] {
        assert!(shows(&web, 0, &[shown]), "{shown}");
    }
    for hidden in [
        "label=shop",
        "label=project=",
        "label=project=sho",
        "label=Project",
    ] {
        assert!(!shows(&web, 0, &[hidden]), "{hidden}");
    }
    assert!(shows(&web, 0, &["label=tier", "label=project=shop"]));
    assert!(!shows(&web, 0, &["label=tier", "label=project=bank"]));
}

#[test]
fn a_label_s_value_may_have_an_equals_sign() {
    let web = labelled("web", &[("env", "A=1")]);
    assert!(shows(&web, 0, &["label=env=A=1"]) && !shows(&web, 0, &["label=env=A"]));
}

#[test]
fn dangling_are_callers_own_networks_that_nobody_uses() {
    let mut web = labelled("web", &[]);
    assert!(shows(&web, 0, &["dangling=true"]) && shows(&web, 0, &["dangling=1"]));
    assert!(!shows(&web, 1, &["dangling=true"]) && shows(&web, 1, &["dangling=false"]));
    assert!(!shows(&web, 0, &["dangling=0"]));
    web.origin = Origin::Builtin;
    assert!(!shows(&web, 0, &["dangling=true"]) && shows(&web, 0, &["dangling=false"]));
    assert!(shows(&web, 0, &["type=builtin"]) && !shows(&web, 0, &["type=custom"]));
}

#[test]
fn all_that_is_wrong_with_a_filter_is_said_at_once_with_what_would_be_right() {
    let texts = [
        "nmae=web",
        "type=own",
        "dangling=yes",
        "scope=",
        "web",
        "name=web",
    ];
    let error = NetworkFilter::parse(texts).unwrap_err();
    assert!(error.is_invalid());
    let text = error.to_string();
    let expected = [
        "filter networks: invalid filter \"nmae=web\": \
         the key is none of dangling, driver, id, label, name, scope, type",
        "invalid filter \"type=own\": the value is none of builtin, custom",
        "invalid filter \"dangling=yes\": the value is none of true, 1, false, 0",
        "invalid filter \"scope=\": the value is none of global, local, swarm",
        "invalid filter \"web\": expected key=value",
    ];
    assert_eq!(text, expected.join("; "));
    let error = "label?=x".parse::<PruneTerm>().unwrap_err();
    let known = &["label", "label!", "until"];
    assert_eq!(error.reason(), &Reason::UnknownKey { known });
}

#[test]
fn a_filter_is_built_of_values_as_well() {
    let built = NetworkFilter::new()
        .name("web")
        .id("ab")
        .driver("bridge")
        .label("project=shop")
        .origin(Origin::Custom)
        .dangling(Switch::Off)
        .scope(Scope::Local);
    let texts = [
        "name=web",
        "id=ab",
        "driver=bridge",
        "label=project=shop",
        "type=custom",
        "dangling=false",
        "scope=local",
    ];
    assert_eq!(built, NetworkFilter::parse(texts).unwrap());
    assert_eq!(
        built.terms().iter().cloned().collect::<NetworkFilter>(),
        built
    );
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Whether a prune with these filters takes `network`, which was made on 2026-11-21 at
/// 06:44:00.5, if it is noon.
fn takes(network: &NetworkSpec, endpoints: usize, texts: &[&str]) -> bool {
    let now = moment("2026-11-21T12:00:00Z");
    let filter = PruneFilter::parse(texts).unwrap();
    filter.matches(network, endpoints, now)
}

#[test]
fn a_prune_takes_callers_own_networks_that_nobody_uses() {
    let mut web = labelled("web", &[]);
    assert!(takes(&web, 0, &[]) && !takes(&web, 1, &[]));
    web.origin = Origin::Builtin;
    assert!(!takes(&web, 0, &[]) && !takes(&web, 0, &["until=1s"]));
    (web.origin, web.config_only) = (Origin::Custom, Switch::On);
    assert!(!takes(&web, 0, &[]), "a template is never unused");
}

#[test]
fn a_prune_takes_what_was_made_until_then() {
    let web = labelled("web", &[]);
    for taken in [
        "1h",
        "5h15m",
        "2026-11-21T06:44:00.500000000Z",
        "2026-11-22",
        "1795243440.5",
    ] {
        assert!(takes(&web, 0, &[&format!("until={taken}")]), "{taken}");
    }
    for left in [
        "5h16m",
        "24h",
        "2026-11-21T06:44:00Z",
        "2026-11-21",
        "0",
        "1795243440.4",
    ] {
        assert!(!takes(&web, 0, &[&format!("until={left}")]), "{left}");
    }
    assert!(
        !takes(&web, 0, &["until=1h", "until=24h"]),
        "the earliest counts"
    );
}

#[test]
fn any_label_that_must_not_be_there_protects_a_network() {
    let web = labelled("web", &[("keep", "yes")]);
    assert!(!takes(&web, 0, &["label!=keep"]) && !takes(&web, 0, &["label!=keep=yes"]));
    assert!(takes(&web, 0, &["label!=keep=no"]) && takes(&web, 0, &["label!=other"]));
    assert!(!takes(&web, 0, &["label!=other", "label!=keep"]));
    assert!(takes(&web, 0, &["label=keep", "until=1h"]));
    assert!(!takes(&web, 0, &["label=keep", "label=other"]));
}

#[test]
fn moments_may_lack_zone_seconds_and_time_of_day() {
    for (text, meant) in [
        ("2026-11-21", "2026-11-21T00:00:00Z"),
        ("2026-11-21T06:44", "2026-11-21T06:44:00Z"),
        ("2026-11-21T06:44:01", "2026-11-21T06:44:01Z"),
        ("2026-11-21T06:44:01.25", "2026-11-21T06:44:01.25Z"),
        ("2026-11-21T06:44:01+02:00", "2026-11-21T04:44:01Z"),
        ("2026-11-21T06:44:01.5-11:30", "2026-11-21T18:14:01.5Z"),
        ("1700000000", "2023-11-14T22:13:20Z"),
        ("1700000000.000000001", "2023-11-14T22:13:20.000000001Z"),
        ("99999999999999999", "9999-12-31T23:59:59Z"),
        ("18446744073709551615", "9999-12-31T23:59:59Z"),
    ] {
        assert_eq!(text.parse(), Ok(Until::At(moment(meant))), "{text}");
    }
    for text in [
        "",
        "yesterday",
        "24",
        "-1h",
        "24 h x",
        "2026-13-01",
        "2026-11-21T06:44:01+2:00",
        "2026-11-21T06:44:01+24:00",
        "1970-01-01T00:00:00+00:01",
        "1.2.3",
        "1.",
        ".5",
    ] {
        let parsed = text.parse::<Until>();
        let seconds = text == "24";
        assert_eq!(parsed.is_ok(), seconds, "{text:?}: {parsed:?}");
    }
}

#[test]
fn durations_end_at_the_beginning_of_1970() {
    let now = moment("1970-01-02T00:00:00Z");
    let at = |span: Duration| Until::from(span).moment(now).to_string();
    assert_eq!(
        at(Duration::from_secs(3600)),
        "1970-01-01T23:00:00.000000000Z"
    );
    assert_eq!(at(Duration::MAX), "1970-01-01T00:00:00.000000000Z");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_term_that_prints_as_the_same_term_or_an_error_of_one_line(
        text in prop_oneof![
            any::<String>(),
            "(dangling|driver|id|label!?|name|scope|type|until)=.{0,12}",
            "(dangling|scope|type)=(true|0|local|swarm|custom|builtin)",
            "until=[0-9]{1,22}(\\.[0-9]{0,10}|ns|s|m|h|days|years)?",
            "until=[0-9]{4}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-5][0-9](:[0-5][0-9])?)?\
             (Z|[+-][0-2][0-9]:[0-5][0-9])?",
        ],
    ) {
        match text.parse::<FilterTerm>() {
            Ok(term) => prop_assert_eq!(term.to_string().parse(), Ok(term)),
            Err(error) => prop_assert!(!error.to_string().contains(char::is_control)),
        }
        match text.parse::<PruneTerm>() {
            Ok(term) => prop_assert_eq!(term.to_string().parse(), Ok(term)),
            Err(error) => prop_assert!(!error.to_string().contains(char::is_control)),
        }
    }
}
