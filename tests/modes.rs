//! What `--network` says, whatever text is given for it.

use bridgework::addr::{Reason, ValueKind};
use bridgework::{ContainerTerm, NetworkMode, NetworkTerm};
use proptest::prelude::*;

fn mode(text: &str) -> NetworkMode {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_four_modes_and_their_other_name() {
    assert_eq!(mode("bridge"), NetworkMode::Bridge);
    assert_eq!(mode("default"), NetworkMode::Bridge);
    assert_eq!(mode("host"), NetworkMode::Host);
    assert_eq!(mode("none"), NetworkMode::None);
    assert_eq!(NetworkMode::default(), NetworkMode::Bridge);
    assert_eq!(mode("default").to_string(), "bridge");
}

#[test]
fn a_full_id_is_an_id_and_a_shorter_one_may_be_a_name() {
    let id = "0f".repeat(32);
    let full = mode(&format!("container:{id}"));
    let NetworkMode::Container(ContainerTerm::Id(found)) = full else {
        panic!("{full:?} is no id")
    };
    assert_eq!(found.to_string(), id);
    let network = mode(&id);
    assert!(
        matches!(network, NetworkMode::Network(NetworkTerm::Id(_))),
        "{network:?}"
    );
    let short = mode(&id[..12]);
    assert!(
        matches!(short, NetworkMode::Network(NetworkTerm::Name(_))),
        "{short:?}"
    );
}

#[test]
fn other_texts_name_a_user_defined_network() {
    for text in ["hmall", "Host", "BRIDGE", "none.1", "containers", "host2"] {
        assert_eq!(mode(text), NetworkMode::Network(text.parse().unwrap()));
    }
}

#[test]
fn what_can_not_be_meant_is_refused_with_docker_s_words() {
    for (text, kind, words) in [
        (
            "",
            ValueKind::NetworkMode,
            "invalid network mode \"\": it is empty",
        ),
        (
            "container:",
            ValueKind::NetworkMode,
            "invalid network mode \"container:\": invalid container format container:<name|id>",
        ),
        (
            "container",
            ValueKind::NetworkMode,
            "invalid network mode \"container\": invalid container format container:<name|id>",
        ),
        (
            "container:a b",
            ValueKind::ContainerName,
            "invalid container name \"a b\": ' ' at byte 1 is not allowed",
        ),
        (
            "container:a:b",
            ValueKind::ContainerName,
            "invalid container name \"a:b\": ':' at byte 1 is not allowed",
        ),
        (
            "host:",
            ValueKind::NetworkName,
            "invalid network name \"host:\": ':' at byte 4 is not allowed",
        ),
    ] {
        let error = text.parse::<NetworkMode>().expect_err(text);
        assert_eq!((error.kind(), error.to_string()), (kind, words.to_owned()));
    }
    let error = "container:".parse::<NetworkMode>().unwrap_err();
    assert_eq!(error.reason(), &Reason::NoContainer);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_mode_that_prints_as_the_same_mode_or_an_error_of_one_line(
        text in prop_oneof![
            any::<String>(),
            "(container:)?[a-z0-9._-]{0,20}",
            "(container:|host|none|bridge|default)[a-z:]{0,2}",
            "(container:)?[0-9a-f]{63,65}",
        ],
    ) {
        match text.parse::<NetworkMode>() {
            Ok(mode) => {
                let printed = mode.to_string();
                prop_assert!(text == "default" || printed == text);
                prop_assert_eq!(printed.parse(), Ok(mode.clone()));
                prop_assert_eq!(NetworkMode::try_from(text.as_bytes()), Ok(mode));
            }
            Err(error) => prop_assert!(!error.to_string().contains(char::is_control)),
        }
    }
}
