//! Checks what came from a server against the question that it was asked: whether it is a reply to
//! that at all, whether the server could answer, and which records belong to the question. Nothing
//! of any other name is kept. How the rest is written again is up to `kept`.

use domain::base::HeaderSection;
use domain::base::iana::{Class, Opcode, Rcode, Rtype};
use domain::dep::octseq::Parser;

use super::chain::{Chain, Place};
use super::kept::{Fit, Kept};
use super::layout::lay_out;
use super::name::WireName;
use super::question::{HEADER_BYTES, Question};
use super::record::Record;
use super::sections::Sections;

/// For how long an answer is kept, and for how long that there is none.
const POSITIVE_MAX_S: u32 = 3_600;
const NEGATIVE_MAX_S: u32 = 300;

/// A byte that no name can begin with, nor go on with.
// rfc6891 §5
const NO_LABEL: u8 = 0x80;

/// What came from a server.
#[derive(Debug)]
pub(super) enum Heard {
    /// No reply to this question, whoever sent it.
    Foreign,
    /// The server can't answer, or not so that it could be read.
    Refusal,
    /// The server does not understand the query, or says so.
    Puzzlement,
    Answer(Kept),
}

/// What `message` says to `question`, which was asked with this id.
pub(super) fn read(message: &[u8], id: u16, question: &Question) -> Heard {
    let Ok(section) = HeaderSection::parse(&mut Parser::from_ref(&message)) else {
        return Heard::Foreign;
    };
    let (header, counts) = (section.header(), section.counts());
    if header.id() != id || !header.qr() || header.opcode() != Opcode::QUERY {
        return Heard::Foreign;
    }
    let codes = [Rcode::NOERROR, Rcode::NXDOMAIN, Rcode::YXDOMAIN];
    let is_answer = codes.contains(&header.rcode());
    let behind = message.get(HEADER_BYTES..).unwrap_or_default();
    let is_same = counts.qdcount() == 1 && question.opens(behind);
    // a server that could not read the question need not repeat it
    let is_silent = counts.qdcount() == 0 && !is_answer;
    match (is_same || is_silent, is_answer) {
        (false, _) => Heard::Foreign,
        (true, false) => match header.rcode() {
            Rcode::FORMERR | Rcode::NOTIMP => Heard::Puzzlement,
            _ => Heard::Refusal,
        },
        (true, true) => keep(message, question, section).map_or(Heard::Refusal, Heard::Answer),
    }
}

/// What of a reply to the question belongs to it; `None` if it can't be read, or says nothing.
fn keep(message: &[u8], question: &Question, section: HeaderSection) -> Option<Kept> {
    // no name may lead into the header, where each asker's reply has other bytes
    let mut message = message.to_vec();
    message.get_mut(..HEADER_BYTES)?.fill(NO_LABEL);
    let start = HEADER_BYTES + question.wire().len();
    let sections = Sections::read(&message, start, section)?;
    let asked = WireName::of_wire(question.name());
    let chain = Chain::follow(asked, &sections.answers, &message)?;
    let mut records = answers(&sections.answers, question, &chain, &message);
    let answers = records.len();
    let is_negative = !records.iter().any(|record| question.is_for(record.rtype));
    records.extend(authorities(
        &sections.authorities,
        question,
        &chain,
        &message,
    ));
    let lifetime_s = settle_ttls(&records, is_negative, &mut message);
    let (bytes, ttls_at) = lay_out(&records, asked, start, &message)?;
    let rcode = section.header().rcode();
    let is_lasting = rcode != Rcode::YXDOMAIN && sections.fit == Fit::Whole;
    Some(Kept {
        rcode,
        fit: sections.fit,
        answers,
        records: bytes.into(),
        ttls_at: ttls_at.into(),
        lifetime_s: lifetime_s.filter(|_| is_lasting),
    })
}

/// The answers of the names that the question leads to, of its type and of those that lead there.
fn answers(records: &[Record], question: &Question, chain: &Chain, message: &[u8]) -> Vec<Record> {
    // records of one owner stand side by side, and mostly have it in the same bytes
    let mut last: (&[u8], Place) = (&[], Place::Foreign);
    let mut belongs = |record: &&Record| {
        let leads = [Rtype::CNAME, Rtype::DNAME, Rtype::RRSIG].contains(&record.rtype);
        if record.class != Class::IN || !(leads || question.is_for(record.rtype)) {
            return false;
        }
        let raw = record.raw_owner(message);
        if last.0 != raw {
            let owner = record.owner(message);
            last = (
                raw,
                owner.map_or(Place::Foreign, |owner| chain.place(&owner)),
            );
        }
        last.1.has(record.rtype)
    };
    let kept = records.iter().filter(|record| belongs(record));
    kept.copied().collect()
}

/// The authorities that say whose the names are, and with DNSSEC, what there is not.
fn authorities<'a>(
    records: &'a [Record],
    question: &'a Question,
    chain: &'a Chain,
    message: &'a [u8],
) -> impl Iterator<Item = Record> + 'a {
    let belongs = move |record: &&Record| match record.rtype {
        _ if record.class != Class::IN => false,
        Rtype::SOA | Rtype::NS => {
            let zone = record.owner(message);
            zone.is_some_and(|zone| chain.is_within(&WireName::of_parsed(&zone)))
        }
        Rtype::DS | Rtype::NSEC | Rtype::NSEC3 | Rtype::RRSIG => question.is_dnssec_ok(),
        _ => false,
    };
    records.iter().filter(belongs).copied()
}

/// Writes each time to live as it counts, and says how long all of them may be kept together. That
/// there is no answer lasts only as long as an SOA says.
// rfc2308 §5
fn settle_ttls(records: &[Record], is_negative: bool, message: &mut [u8]) -> Option<u32> {
    let mut least_s = if is_negative {
        NEGATIVE_MAX_S
    } else {
        POSITIVE_MAX_S
    };
    let mut has_soa = false;
    for record in records {
        let is_limit = is_negative && record.rtype == Rtype::SOA;
        has_soa |= is_limit;
        let most_s = if is_limit {
            record.last_number(message)
        } else {
            u32::MAX
        };
        let ttl_s = record.ttl_s(message).min(most_s);
        let place = message.get_mut(record.ttl_at..);
        if let Some(place) = place.and_then(|rest| rest.first_chunk_mut()) {
            *place = ttl_s.to_be_bytes();
        }
        least_s = least_s.min(ttl_s);
    }
    let may_be_kept = least_s > 0 && (has_soa || !is_negative);
    may_be_kept.then_some(least_s)
}
