//! What bears our mark, and is of another store than this host's: two programs that keep their records
//! apart may have networks in one namespace, and neither knows what the other one's are.

use crate::plan::ALIAS_MARK;
use crate::snapshot::{LinkState, Snapshot};

/// Whether the link is a network's or an endpoint's of another store.
pub(super) fn is_of_another_store(link: &LinkState, tag: u16) -> bool {
    tag_of(&link.alias).is_some_and(|other| other != tag)
}

/// Whether there is any.
pub(super) fn has_another_store(snapshot: &Snapshot, tag: u16) -> bool {
    let mut links = snapshot.links.iter();
    links.any(|link| is_of_another_store(link, tag))
}

/// The tag in the first digits of an id, with which such an alias ends.
fn tag_of(alias: &str) -> Option<u16> {
    const DIGITS: usize = 12;
    let mark = alias.strip_prefix(ALIAS_MARK)?;
    let is_one = [" network ", " endpoint "].iter();
    let mut kinds = is_one.filter(|kind| mark.starts_with(**kind));
    kinds.next()?;
    let digits = mark.rsplit(' ').next()?;
    let tag = (digits.len() == DIGITS).then(|| digits.get(DIGITS - 4..))??;
    u16::from_str_radix(tag, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::tag_of;

    #[test]
    fn the_tag_is_in_the_digits_of_a_network_or_an_endpoint() {
        let tag = |alias| tag_of(alias);
        assert_eq!(tag("bridgework network web 2b8432241a2b"), Some(0x1a2b));
        assert_eq!(tag("bridgework endpoint app on web 0741eef80001"), Some(1));
        for other in [
            "bridgework device",
            "bridgework network web abab",
            "lan",
            "",
        ] {
            assert_eq!(tag(other), None, "{other}");
        }
    }
}
