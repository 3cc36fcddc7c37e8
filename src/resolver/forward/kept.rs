//! What is kept of a reply, and how it is written for one who waits: its own id, flags and case, the
//! time to live that is left, and no more bytes than it takes. Which records are kept is decided in
//! `reply`.

use domain::base::iana::Rcode;

use super::question::{Asker, HEADER_BYTES, OPT_BYTES, Question};

/// The records of a reply that belong to its question, answer and authority, as they stand behind
/// the question: their compression pointers count from the header, and a question of the same
/// length goes before them.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) rcode: Rcode,
    pub(super) fit: Fit,
    /// How many of the records are in the answer section.
    pub(super) answers: usize,
    pub(super) records: Box<[u8]>,
    /// Where each record has its time to live, counted from the first record.
    pub(super) ttls_at: Box<[u16]>,
    /// How long it may be answered from memory; `None` if it may not.
    pub(super) lifetime_s: Option<u32>,
}

/// Whether the server could say all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    Whole,
    Truncated,
}

impl Kept {
    /// The server's failure, which is what a question ends in that nobody could answer.
    pub(super) fn failure() -> Self {
        Self {
            rcode: Rcode::SERVFAIL,
            fit: Fit::Whole,
            answers: 0,
            records: Box::default(),
            ttls_at: Box::default(),
            lifetime_s: None,
        }
    }

    /// What it takes in memory, without itself.
    pub(super) fn heap_bytes(&self) -> usize {
        self.records.len() + size_of_val(&*self.ttls_at)
    }

    /// Writes the reply to `asker`, `age_s` after this was heard.
    pub(super) fn write(
        &self,
        question: &Question,
        asker: &Asker,
        age_s: u32,
        reply: &mut Vec<u8>,
    ) {
        let opt_bytes = if question.has_edns() { OPT_BYTES } else { 0 };
        let before = HEADER_BYTES + question.wire().len();
        let room = asker.limit_bytes.saturating_sub(before + opt_bytes);
        let (fitting, bytes) = self.fitting(room);
        let answers = fitting.min(self.answers);
        reply.clear();
        reply.extend_from_slice(&asker.id.to_be_bytes());
        reply.extend_from_slice(&self.flags(question, fitting));
        let authorities = fitting - answers;
        let additional = usize::from(question.has_edns());
        for count in [1, answers, authorities, additional] {
            // there are no more records than bytes in a message
            reply.extend_from_slice(&(count as u16).to_be_bytes());
        }
        reply.extend_from_slice(&asker.name);
        reply.extend_from_slice(question.type_and_class());
        let start = reply.len();
        reply.extend_from_slice(bytes);
        for at in self.ttls_at.iter().take(fitting) {
            age(reply, start + usize::from(*at), age_s);
        }
        if question.has_edns() {
            question.write_opt(reply);
        }
    }

    /// How many of the records fit in `room` bytes, and these.
    fn fitting(&self, room: usize) -> (usize, &[u8]) {
        if self.records.len() <= room {
            return (self.ttls_at.len(), &self.records);
        }
        let ends = self.ttls_at.iter().map(|at| self.end_of(usize::from(*at)));
        let ends = ends.take_while(|end| *end <= room);
        let (count, end) = ends.fold((0, 0), |(count, _), end| (count + 1, end));
        (count, self.records.get(..end).unwrap_or_default())
    }

    /// Where the record ends whose time to live is there.
    fn end_of(&self, ttl_at: usize) -> usize {
        let length = self.records.get(ttl_at + 4..ttl_at + 6);
        let length = length.and_then(|bytes| bytes.try_into().ok());
        ttl_at + 6 + usize::from(length.map_or(u16::MAX, u16::from_be_bytes))
    }

    /// Without its authorities an answer is whole; that there is no answer, is told by them.
    // rfc2181 §9
    fn is_cut(&self, fitting: usize) -> bool {
        let needed = match self.answers {
            0 => self.ttls_at.len(),
            answers => answers,
        };
        self.fit == Fit::Truncated || fitting < needed
    }

    /// QR, TC, RD; RA, CD and the rcode. We are no authority for others' names, and vouch for none.
    fn flags(&self, question: &Question, fitting: usize) -> [u8; 2] {
        let truncated = u8::from(self.is_cut(fitting)) << 1;
        let [rd, cd] = question.flags();
        let first = 0x80 | truncated | rd;
        let second = 0x80 | cd | (self.rcode.to_int() & 0x0f);
        [first, second]
    }
}

/// Takes `age_s` off the time to live that stands there.
fn age(bytes: &mut [u8], at: usize, age_s: u32) {
    let ttl = bytes.get_mut(at..at + 4);
    if let Some(ttl) = ttl.and_then(|ttl| <&mut [u8; 4]>::try_from(ttl).ok()) {
        let left = u32::from_be_bytes(*ttl).saturating_sub(age_s);
        *ttl = left.to_be_bytes();
    }
}
