//! A query off the wire, checked: what follows works with values that can't be malformed. It holds
//! all of itself and points into no packet. What it is answered with is decided in `answer`.

use std::fmt;

use domain::base::iana::{Class, Opcode, OptRcode, Rtype};
use domain::base::opt::Opt;
use domain::base::wire::ParseError;
use domain::base::{Header, HeaderCounts, HeaderSection, Name};
use domain::dep::octseq::Parser;

/// The header of every message (rfc1035 §4.1.1).
pub(super) const HEADER_BYTES: usize = 12;
/// The longest name in wire form, with the root's label (rfc1035 §3.1).
pub(super) const MAX_NAME_BYTES: usize = 255;

/// What a client that says nothing of it takes by UDP (rfc1035 §4.2.1).
const UDP_BYTES: u16 = 512;
/// What crosses every network in one piece, for IPv6, too (rfc9715 §3).
pub(super) const MAX_UDP_BYTES: u16 = 1232;
const MAX_TCP_BYTES: usize = 65_535;

/// What a query came by.
///
/// ```
/// use std::sync::Arc;
/// use bridgework::resolver::{Manner, Transport, Verdict, View, answer};
/// # use bridgework::resolver::{Client, ClientTerms, Forwarding};
/// # let terms = ClientTerms { forwarding: Forwarding::Host, search: vec![], domain: None };
/// # let client = Client::new(Arc::new(View::default()), terms);
/// # let manner = Manner { ttl_s: 0, turn: 0 };
///
/// let mut reply = Vec::new();
/// let verdict = answer(b"no query", Transport::Tcp, &client, manner, &mut reply);
/// assert_eq!((verdict, reply.len()), (Verdict::Ignore, 0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// In a datagram. The answer is as long as the client takes, and 1232 bytes at most.
    Udp,
    /// On a connection. The answer is 65,535 bytes long at most.
    Tcp,
}

/// What a client says of itself by EDNS (rfc6891). Its options are not read, but for where they end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Edns {
    /// The longest datagram that it takes, as it says itself.
    pub(crate) udp_bytes: u16,
    /// Whether it wants DNSSEC's records, too (rfc3225).
    pub(crate) dnssec_ok: bool,
}

/// A checked query: one question, of class IN, for a type that records can have, or for `ANY`.
///
/// It is found where others have to be asked, in [`Verdict::Forward`](super::Verdict::Forward).
///
/// ```
/// use std::sync::Arc;
/// use bridgework::resolver::{Manner, Transport, Verdict, View, answer};
/// # use bridgework::resolver::{Client, ClientTerms, Forwarding};
/// # let terms = ClientTerms { forwarding: Forwarding::Host, search: vec![], domain: None };
/// # let client = Client::new(Arc::new(View::default()), terms);
/// # let manner = Manner { ttl_s: 0, turn: 0 };
///
/// let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x04docs\x02rs\0\0\x01\0\x01";
/// match answer(query, Transport::Udp, &client, manner, &mut Vec::new()) {
///     Verdict::Forward(query, _) => {
///         assert_eq!(query.name_wire(), b"\x04docs\x02rs\0");
///         assert_eq!((query.id(), query.record_type()), (0x1234, 1)); // an A record
///         assert!(query.is_recursion_desired() && !query.is_checking_disabled());
///         assert_eq!((query.transport(), query.limit_bytes()), (Transport::Udp, 512));
///     }
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Query {
    /// No more than the id, RD and CD.
    header: Header,
    rtype: u16,
    transport: Transport,
    edns: Option<Edns>,
    name_bytes: u8,
    /// Zero behind the name.
    name: [u8; MAX_NAME_BYTES],
}

/// Why a message is no query that could be decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is shorter than a header, or an answer itself: nothing is sent, or two servers could talk
    /// to each other for ever.
    Ignore,
    /// It is answered with a code, and nothing more.
    Answer(Refusal),
}

/// How a message that is no proper query is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(super) rcode: OptRcode,
    /// The length of its question behind the header; 0 where it has none that can be read.
    pub(super) question_bytes: usize,
    pub(super) edns: Option<Edns>,
}

impl Query {
    /// The query in `bytes`.
    pub(crate) fn parse(bytes: &[u8], transport: Transport) -> Result<Self, Unfit> {
        let mut parser = Parser::from_ref(&bytes);
        let section = HeaderSection::parse(&mut parser).map_err(|_| Unfit::Ignore)?;
        let (header, counts) = (section.header(), section.counts());
        if header.qr() {
            return Err(Unfit::Ignore);
        }
        let question = match counts.qdcount() {
            1 => Question::parse(&mut parser).ok(),
            _ => None,
        };
        let question_bytes = question.as_ref().map_or(0, Question::wire_bytes);
        let refuse = |rcode, edns| {
            Unfit::Answer(Refusal {
                rcode,
                question_bytes,
                edns,
            })
        };
        if header.opcode() != Opcode::QUERY {
            return Err(refuse(OptRcode::NOTIMP, None));
        }
        let question = question.ok_or_else(|| refuse(OptRcode::FORMERR, None))?;
        let extra = Extra::parse(&mut parser, counts);
        let edns = extra.as_ref().ok().and_then(|extra| extra.edns);
        if !question.is_allowed() {
            return Err(refuse(OptRcode::REFUSED, edns));
        }
        let extra = extra.map_err(|_| refuse(OptRcode::FORMERR, None))?;
        if extra.version > 0 {
            return Err(refuse(OptRcode::BADVERS, edns));
        }
        let mut query = Self {
            header: kept(*header),
            rtype: question.rtype.to_int(),
            transport,
            edns,
            name_bytes: 0,
            name: [0; MAX_NAME_BYTES],
        };
        query.set_name(question.name.as_slice());
        Ok(query)
    }

    /// Its id, as the client chose it.
    #[must_use]
    pub fn id(&self) -> u16 {
        self.header.id()
    }

    /// The name that is asked for, in wire form (rfc1035 §3.1), 1 to 255 bytes, in the client's
    /// case.
    #[must_use]
    pub fn name_wire(&self) -> &[u8] {
        let (name, _) = self.name.split_at(usize::from(self.name_bytes));
        name
    }

    /// The type of the records that are asked for, by its number.
    #[must_use]
    pub fn record_type(&self) -> u16 {
        self.rtype
    }

    /// What it came by.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Whether the client wants that others are asked (RD).
    #[must_use]
    pub fn is_recursion_desired(&self) -> bool {
        self.header.rd()
    }

    /// Whether the client checks signatures itself (CD).
    #[must_use]
    pub fn is_checking_disabled(&self) -> bool {
        self.header.cd()
    }

    /// How long an answer may be. By UDP 512 bytes, or what EDNS says between that and 1232; by TCP
    /// 65,535.
    #[must_use]
    pub fn limit_bytes(&self) -> usize {
        let edns = self.edns.map_or(UDP_BYTES, |edns| edns.udp_bytes);
        match self.transport {
            Transport::Udp => usize::from(edns.clamp(UDP_BYTES, MAX_UDP_BYTES)),
            Transport::Tcp => MAX_TCP_BYTES,
        }
    }

    pub(crate) fn rtype(&self) -> Rtype {
        Rtype::from_int(self.rtype)
    }

    /// Its header, with no more than the id, RD and CD.
    pub(super) fn header(&self) -> Header {
        self.header
    }

    pub(crate) fn edns(&self) -> Option<Edns> {
        self.edns
    }

    fn set_name(&mut self, name: &[u8]) {
        if let (Ok(bytes), Some(held)) = (u8::try_from(name.len()), self.name.get_mut(..name.len()))
        {
            held.copy_from_slice(name);
            self.name_bytes = bytes;
        }
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Query");
        fields.field("id", &self.id()).field("type", &self.rtype());
        if let Ok(name) = Name::from_slice(self.name_wire()) {
            fields.field("name", &format_args!("{name}"));
        }
        fields
            .field("transport", &self.transport)
            .field("recursion_desired", &self.is_recursion_desired())
            .field("checking_disabled", &self.is_checking_disabled())
            .field("edns", &self.edns)
            .finish()
    }
}

/// What of a header matters to the answer. AD and Z are ignored (rfc6840 §5.7, rfc1035 §4.1.1).
fn kept(asked: Header) -> Header {
    let mut header = Header::new();
    header.set_id(asked.id());
    header.set_rd(asked.rd());
    header.set_cd(asked.cd());
    header
}

/// The one question of a query.
struct Question<'a> {
    /// Without pointers: nothing stands before it that they could lead to.
    name: Name<&'a [u8]>,
    rtype: Rtype,
    class: Class,
}

impl<'a> Question<'a> {
    fn parse(parser: &mut Parser<'a, &'a [u8]>) -> Result<Self, ParseError> {
        Ok(Self {
            name: Name::parse(parser)?,
            rtype: Rtype::parse(parser)?,
            class: Class::parse(parser)?,
        })
    }

    fn wire_bytes(&self) -> usize {
        self.name.len() + 4
    }

    /// Whether there can be records of that type and class. Of the types that only questions and
    /// messages have (rfc6895 §3.1), `ANY` alone is answered.
    fn is_allowed(&self) -> bool {
        let rtype = self.rtype.to_int();
        let no_records = rtype == 0 || self.rtype == Rtype::OPT || (128..=254).contains(&rtype);
        self.class == Class::IN && !no_records
    }
}

/// What stands behind the question.
#[derive(Default)]
struct Extra {
    edns: Option<Edns>,
    version: u8,
}

impl Extra {
    /// Reads all there is, in time by its length: names are skipped, and pointers not followed.
    fn parse(parser: &mut Parser<'_, &[u8]>, counts: &HeaderCounts) -> Result<Self, ParseError> {
        let malformed = Err(ParseError::form_error("no proper query"));
        if counts.ancount() > 0 || counts.nscount() > 0 {
            return malformed;
        }
        let mut extra = Self::default();
        for _ in 0..counts.arcount() {
            let owner = Name::parse(parser)?;
            let rtype = Rtype::parse(parser)?;
            let class = parser.parse_u16_be()?;
            let [_, version, flags, _] = parser.parse_u32_be()?.to_be_bytes();
            let rdata_bytes = parser.parse_u16_be()?;
            let rdata = parser.parse_octets(usize::from(rdata_bytes))?;
            if rtype != Rtype::OPT {
                continue;
            }
            // rfc6891 §6.1.1, §6.1.2
            if extra.edns.is_some() || !owner.is_root() {
                return malformed;
            }
            Opt::from_slice(rdata)?;
            extra.version = version;
            extra.edns = Some(Edns {
                udp_bytes: class,
                dnssec_ok: flags & 0x80 != 0,
            });
        }
        match parser.remaining() {
            0 => Ok(extra),
            _ => malformed,
        }
    }
}
