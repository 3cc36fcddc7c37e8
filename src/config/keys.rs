//! A key that nobody knows, and the one that was probably meant. Nothing here knows what a key is
//! for.

use crate::error::Fault;

/// That nobody knows `key`, and which of `known` comes nearest to it.
pub(super) fn unknown<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Fault {
    // what is compared with all others is bounded, whoever wrote it
    const MAX_CHARS: usize = 96;
    let key: String = key.chars().take(MAX_CHARS).collect();
    let nearest = known
        .min_by_key(|known| strangeness(&key, known))
        .unwrap_or_default()
        .to_owned();
    Fault::UnknownOption { key, nearest }
}

/// What a message quotes of a text, whoever wrote it.
pub(super) fn excerpt(text: &str) -> String {
    const MAX_CHARS: usize = 64;
    text.chars().take(MAX_CHARS).collect()
}

/// The more letters have to be changed to get from `key` to `known`, the higher. Who leaves out
/// all before the last dot is not far off.
fn strangeness(key: &str, known: &str) -> (bool, usize) {
    let whole = strsim::damerau_levenshtein(key, known);
    let last_parts = strsim::damerau_levenshtein(last_part(key), last_part(known));
    let contains_it = !key.is_empty() && known.contains(last_part(key));
    (!contains_it, whole.min(last_parts))
}

fn last_part(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_the_one_that_was_meant() {
        let known = [
            "com.docker.network.bridge.name",
            "com.docker.network.bridge.enable_icc",
            "com.docker.network.bridge.enable_ip_masquerade",
            "com.docker.network.bridge.inhibit_ipv4",
            "com.docker.network.bridge.gateway_mode_ipv4",
            "com.docker.network.driver.mtu",
            "com.docker.network.enable_ipv4",
            "parent",
        ];
        for (key, meant) in [
            ("com.docker.network.bridge.enable_ic", known[1]),
            ("com.docker.network.bridge.eanble_icc", known[1]),
            ("com.docker.network.mtu", known[5]),
            ("mtu", known[5]),
            ("icc", known[1]),
            ("com.docker.network.enable_icc", known[1]),
            ("gateway_mode", known[4]),
            ("com.docker.network.bridge.gateway_mod_ipv4", known[4]),
            ("com.docker.network.bridge.names", known[0]),
            ("parnet", known[7]),
        ] {
            let Fault::UnknownOption { nearest, .. } = unknown(key, known.into_iter()) else {
                panic!("{key} is unknown");
            };
            assert_eq!(nearest, meant, "{key}");
        }
    }

    #[test]
    fn a_long_key_is_compared_and_quoted_in_part() {
        let fault = unknown(&"x".repeat(1_000_000), ["parent"].into_iter());
        assert!(fault.to_string().len() < 200);
        unknown("", [""; 0].into_iter());
    }
}
