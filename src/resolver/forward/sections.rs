//! The records of a reply, read section by section as far as they matter. What is malformed spoils
//! the reply, but for the end of one that says itself that it is cut off.

use domain::base::HeaderSection;
use domain::base::iana::Rtype;

use super::kept::Fit;
use super::record::{Record, Records};

/// The longest message that TCP's length can say.
const MESSAGE_MAX_BYTES: usize = 65_535;
/// As many A records as a message can have.
const MAX_ANSWERS: u16 = 4_096;
/// What comes behind so many authorities is no loss.
const MAX_AUTHORITIES: u16 = 64;
/// An OPT is looked for among so many.
const MAX_ADDITIONAL: u16 = 64;

pub(super) struct Sections {
    pub(super) fit: Fit,
    pub(super) answers: Vec<Record>,
    pub(super) authorities: Vec<Record>,
}

impl Sections {
    /// The records from `start` on; `None` if they can't be read, or the server says by its OPT
    /// that it could not answer.
    pub(super) fn read(message: &[u8], start: usize, section: HeaderSection) -> Option<Self> {
        if message.len() > MESSAGE_MAX_BYTES {
            return None;
        }
        let fit = if section.header().tc() {
            Fit::Truncated
        } else {
            Fit::Whole
        };
        let counts = section.counts();
        if counts.ancount() > MAX_ANSWERS {
            return None;
        }
        let mut records = Records::new(message, start)?;
        let answers = take(&mut records, counts.ancount(), fit)?;
        let authorities = take(&mut records, counts.nscount().min(MAX_AUTHORITIES), fit)?;
        let is_read = counts.nscount() <= MAX_AUTHORITIES;
        if is_read && is_refused(&mut records, message, counts.arcount().min(MAX_ADDITIONAL)) {
            return None;
        }
        Some(Self {
            fit,
            answers,
            authorities,
        })
    }
}

fn take(records: &mut Records<'_>, count: u16, fit: Fit) -> Option<Vec<Record>> {
    let mut taken = Vec::new();
    for _ in 0..count {
        match (records.read(), fit) {
            (Some(record), _) => taken.push(record),
            (None, Fit::Whole) => return None,
            (None, Fit::Truncated) => break,
        }
    }
    Some(taken)
}

/// Whether an OPT has the upper bits of a code that the header has no room for. What is malformed
/// here is no loss.
// rfc6891 §6.1.3
fn is_refused(records: &mut Records<'_>, message: &[u8], count: u16) -> bool {
    let additional = (0..count).map_while(|_| records.read());
    let mut opts = additional.filter(|record| record.rtype == Rtype::OPT);
    opts.next()
        .is_some_and(|opt| message.get(opt.ttl_at) != Some(&0))
}
