//! The name of a question as text, and each way in which it can be meant. Nothing is looked up
//! here.

use crate::addr::HostName;
use crate::resolver::client::ClientTerms;
use crate::resolver::resolv::SearchDomain;
use crate::resolver::reverse::without_suffix;

/// The longest name as text: the wire form less the first length and the root.
pub(super) const MAX_TEXT_BYTES: usize = 253;

/// The name in wire form `wire` as labels between dots, without the root's. `None` for the root,
/// and where a label has a dot in it, by which nobody can be called.
pub(super) fn text<'a>(wire: &[u8], buffer: &'a mut [u8; MAX_TEXT_BYTES]) -> Option<&'a [u8]> {
    let (first, rest) = wire.split_first()?;
    let labels = rest.strip_suffix(&[0])?;
    let text = buffer.get_mut(..labels.len())?;
    text.copy_from_slice(labels);
    let mut at = usize::from(*first);
    // all but the bytes between labels, which are lengths, are copied as they are
    let mut start = 0;
    loop {
        let label = labels.get(start..at)?;
        if label.contains(&b'.') {
            return None;
        }
        let Some(length) = text.get_mut(at) else {
            return Some(text);
        };
        start = at + 1;
        at = start + usize::from(*length);
        *length = b'.';
    }
}

/// `name`, then what is left of it without each of the domains that its asker's resolver puts
/// behind names, and without the one that is its networks' alone.
pub(super) fn readings<'a>(
    name: &'a [u8],
    terms: &'a ClientTerms,
) -> impl Iterator<Item = &'a [u8]> {
    let searched = terms.search.iter().filter_map(|domain| match domain {
        SearchDomain::Root => None,
        SearchDomain::Name(domain) => Some(domain),
    });
    let domains = searched.chain(&terms.domain);
    let stripped = domains.filter_map(move |domain| below(name, domain)?.strip_suffix(b"."));
    std::iter::once(name).chain(stripped)
}

/// What stands in front of the domain, with the dot between: nothing, where the name is the domain.
pub(super) fn below<'a>(name: &'a [u8], domain: &HostName) -> Option<&'a [u8]> {
    let rest = without_suffix(name, domain.as_str().as_bytes())?;
    (rest.is_empty() || rest.ends_with(b".")).then_some(rest)
}
