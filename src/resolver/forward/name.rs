//! A domain name in its wire form and in lower case, on the stack: what names of a reply are
//! compared by. It reads no message; `domain` does.

use domain::base::name::{ParsedName, ToLabelIter};

/// The longest name with its root label.
// rfc1035 §2.3.4
const NAME_MAX_BYTES: usize = 255;

/// Labels with their lengths, and the root label at the end.
#[derive(Clone, Copy)]
pub(super) struct WireName {
    bytes: [u8; NAME_MAX_BYTES],
    len: usize,
}

impl WireName {
    const EMPTY: Self = Self {
        bytes: [0; NAME_MAX_BYTES],
        len: 0,
    };

    /// A name that was checked before, with its root label. What is beyond 255 bytes is left out.
    pub(super) fn of_wire(bytes: &[u8]) -> Self {
        let mut name = Self::EMPTY;
        name.push(bytes);
        name
    }

    pub(super) fn of_parsed(parsed: &ParsedName<&[u8]>) -> Self {
        let mut name = Self::EMPTY;
        for label in parsed.iter() {
            // a label has at most 63 bytes
            name.push(&[label.len() as u8]);
            name.push(label.as_slice());
        }
        name
    }

    /// Whether that is this name, in any case.
    pub(super) fn is(&self, parsed: &ParsedName<&[u8]>) -> bool {
        if usize::from(parsed.compose_len()) != self.len {
            return false;
        }
        let mut rest = self.as_bytes();
        parsed.iter().all(|label| {
            let same = rest
                .split_first()
                .filter(|(len, _)| usize::from(**len) == label.len())
                .and_then(|(_, behind)| behind.split_at_checked(label.len()))
                .filter(|(own, _)| own.eq_ignore_ascii_case(label.as_slice()));
            rest = same.map_or(&[][..], |(_, behind)| behind);
            same.is_some()
        })
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Whether it is `zone` or beneath it.
    pub(super) fn is_within(&self, zone: &Self) -> bool {
        self.bytes_before(zone).is_some()
    }

    /// The name with `to` in the place of `from`, if it is beneath that and not too long then.
    // rfc6672 §2.2
    pub(super) fn substitute(&self, from: &Self, to: &Self) -> Option<Self> {
        let prefix = self
            .bytes_before(from)
            .filter(|prefix| !prefix.is_empty())?;
        let fits = prefix.len() + to.len <= NAME_MAX_BYTES;
        fits.then(|| {
            let mut name = Self::EMPTY;
            name.push(prefix);
            name.push(to.as_bytes());
            name
        })
    }

    /// The labels that stand before `zone`, if it ends in that.
    fn bytes_before(&self, zone: &Self) -> Option<&[u8]> {
        let cut = self.len.checked_sub(zone.len)?;
        let (prefix, rest) = self.as_bytes().split_at_checked(cut)?;
        (rest == zone.as_bytes() && ends_a_label(prefix)).then_some(prefix)
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(bytes);
            room.make_ascii_lowercase();
            self.len = end;
        }
    }
}

impl PartialEq for WireName {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

/// Whether `prefix` is a row of whole labels.
fn ends_a_label(mut prefix: &[u8]) -> bool {
    while let Some((&len, rest)) = prefix.split_first() {
        match rest.split_at_checked(usize::from(len)) {
            Some((_, rest)) => prefix = rest,
            None => return false,
        }
    }
    true
}
