//! Which network a term means: an id, a name or the beginning of an id. It does not know where
//! networks are kept.

use crate::addr::{NetworkId, NetworkName};
use crate::error::Fault;

/// The network that `term` means: the one with that full id, else the one with that name, else the
/// only one whose id begins so. Of several with one name it is the first. The empty term means none.
///
/// ```
/// use bridgework::{NetworkId, NetworkName};
/// use bridgework::inspect::find;
///
/// let name: NetworkName = "web".parse()?;
/// let id = NetworkId::from_bytes([0xab; 32]);
/// assert_eq!(find([(id, &name)], "web"), Ok(id));
/// assert_eq!(find([(id, &name)], "abab"), Ok(id));
/// let fault = find([(id, &name)], "abc").unwrap_err();
/// assert_eq!(fault.to_string(), "network abc not found");
/// # Ok::<(), bridgework::ParseError>(())
/// ```
///
/// # Errors
/// [`Fault::NetworkNotFound`], or [`Fault::NetworkAmbiguous`] where the ids of several begin so.
pub fn find<'a>(
    networks: impl IntoIterator<Item = (NetworkId, &'a NetworkName)>,
    term: &str,
) -> Result<NetworkId, Fault> {
    // a full id needs no rule of its own: no name has 64 digits
    let (mut named, mut first, mut matches) = (None, None, 0);
    for (id, name) in networks {
        if named.is_none() && name.as_str() == term {
            named = Some(id);
        }
        if begins_with(id, term) {
            first = first.or(Some(id));
            matches += 1;
        }
    }
    let term = term.to_owned();
    match (named, first) {
        (Some(id), _) => Ok(id),
        (None, Some(id)) if matches == 1 => Ok(id),
        (None, Some(_)) => Err(Fault::NetworkAmbiguous { term, matches }),
        (None, None) => Err(Fault::NetworkNotFound { name: term }),
    }
}

/// Whether the digits of `id` begin with `prefix`, of which there is at least one.
fn begins_with(id: NetworkId, prefix: &str) -> bool {
    let halves = id.bytes().iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let mut digits = halves.map(|half| char::from_digit(half.into(), 16));
    !prefix.is_empty() && prefix.chars().all(|c| digits.next() == Some(Some(c)))
}
