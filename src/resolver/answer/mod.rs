//! What a query is answered with: from what the client knows, by others, or not at all. Pure: the
//! bytes of the query, the client and the server's manner decide, no clock and no socket.

mod names;
mod reply;

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::Guard;
use domain::base::iana::{Rcode, Rtype};

use self::reply::Draft;
use super::client::{Client, ClientTerms, Forwarding};
use super::query::{Query, Transport, Unfit};
use super::records::Found;
use super::reverse::parse_reverse_name;
use super::view::{self, Membership};
use crate::addr::Family;

/// How a server answers, whatever it is asked.
///
/// ```
/// use bridgework::resolver::Manner;
///
/// let mut manner = Manner { ttl_s: 5, turn: 0 };
/// manner.turn = manner.turn.wrapping_add(1); // for each query
/// assert_eq!(manner, Manner { ttl_s: 5, turn: 1 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// How long the answers may be kept, in seconds. 0 to 5 suit names whose owners come and go.
    /// Above 2^31 - 1 it counts as that (rfc2181 §8).
    pub ttl_s: u32,
    /// Whose turn it is to be named first among several owners of a name: any number, another one
    /// for each query.
    pub turn: u32,
}

/// What is to be done with a query.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "a box would be an allocation for each query that is forwarded"
)]
pub enum Verdict {
    /// The reply is to be sent.
    Reply,
    /// Others are to be asked. The terms are those that this was decided by: whoever asks goes by
    /// them, and not by newer ones.
    Forward(Query, Arc<ClientTerms>),
    /// Nothing is sent.
    Ignore,
}

/// Decides on a query of `client`'s, and writes into `reply`, after clearing it, what is to be sent
/// to it, if it is known here.
///
/// Known are the names of its [`View`](super::View), also with one of the domains that it searches
/// in behind them, all that is under its networks' own domain, and the way back from every address
/// in the subnets of its networks. Of a name
/// that is known, nobody else is ever asked, whatever the type is: what it does not have is
/// answered as having no records.
///
/// The reply is never longer than the client takes, and repeats the question in the client's case.
/// Where not all addresses fit, it has as many as do and says that it is truncated. Any bytes may
/// be asked. For what is answered here nothing is allocated once `reply` has the capacity.
///
/// ```
/// use std::sync::Arc;
///
/// use bridgework::EndpointId;
/// use bridgework::resolver::{
///     Client, ClientTerms, Forwarding, Manner, Names, Owner, Records, Transport, Verdict, View, answer,
/// };
///
/// let records = Arc::new(Records::new("hmall".parse()?));
/// let names = Names::new("db".parse()?, []);
/// let address = "172.18.0.2".parse().unwrap();
/// records.insert(Owner::new(EndpointId::from_bytes([1; 32]), names, [address]));
/// let client = Client::new(
///     Arc::new(View::new([records.into()])),
///     ClientTerms { forwarding: Forwarding::Host, search: vec![], domain: None },
/// );
///
/// let manner = Manner { ttl_s: 0, turn: 0 };
/// let mut reply = Vec::new();
/// let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x02Db\0\0\x01\0\x01";
/// let verdict = answer(query, Transport::Udp, &client, manner, &mut reply);
/// assert_eq!(verdict, Verdict::Reply);
/// assert!(reply.starts_with(b"\x12\x34") && reply.ends_with(&[172, 18, 0, 2]));
///
/// let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x04docs\x02rs\0\0\x01\0\x01";
/// let verdict = answer(query, Transport::Udp, &client, manner, &mut reply);
/// assert!(matches!(verdict, Verdict::Forward(query, _) if query.name_wire() == b"\x04docs\x02rs\0"));
/// # Ok::<(), bridgework::ParseError>(())
/// ```
pub fn answer(
    query: &[u8],
    transport: Transport,
    client: &Client,
    manner: Manner,
    reply: &mut Vec<u8>,
) -> Verdict {
    reply.clear();
    let checked = match Query::parse(query, transport) {
        Ok(checked) => checked,
        Err(Unfit::Ignore) => return Verdict::Ignore,
        Err(Unfit::Answer(refusal)) => {
            reply::refuse(query, refusal, reply);
            return Verdict::Reply;
        }
    };
    let terms = client.load_terms();
    let known = answer_known(&checked, &client.view().load(), &terms, manner, reply);
    if known.is_some() {
        return Verdict::Reply;
    }
    match terms.forwarding {
        Forwarding::Nobody => {
            fail(&checked, reply);
            Verdict::Reply
        }
        Forwarding::Host | Forwarding::Own(_) => {
            Verdict::Forward(checked, Guard::into_inner(terms))
        }
    }
}

/// Writes into `reply`, after clearing it, that `query` could not be answered (SERVFAIL).
///
/// ```
/// use std::sync::Arc;
/// use bridgework::resolver::{Manner, Transport, Verdict, View, answer, fail};
/// # use bridgework::resolver::{Client, ClientTerms, Forwarding};
/// # let terms = ClientTerms { forwarding: Forwarding::Host, search: vec![], domain: None };
/// # let client = Client::new(Arc::new(View::default()), terms);
/// # let manner = Manner { ttl_s: 0, turn: 0 };
///
/// let mut reply = Vec::new();
/// let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x04docs\x02rs\0\0\x01\0\x01";
/// if let Verdict::Forward(query, _) = answer(query, Transport::Udp, &client, manner, &mut reply) {
///     fail(&query, &mut reply); // nobody has answered
/// }
/// assert_eq!(reply[3] & 0xf, 2); // rfc1035 §4.1.1: SERVFAIL
/// ```
pub fn fail(query: &Query, reply: &mut Vec<u8>) {
    Draft::new(query, reply).finish(Rcode::SERVFAIL);
}

/// Writes the reply to what is known, which is `None` otherwise.
fn answer_known(
    query: &Query,
    memberships: &[Membership],
    terms: &ClientTerms,
    manner: Manner,
    reply: &mut Vec<u8>,
) -> Option<()> {
    let mut buffer = [0; names::MAX_TEXT_BYTES];
    let name = names::text(query.name_wire(), &mut buffer)?;
    if let Some(address) = parse_reverse_name(name) {
        let told = point_back(query, address, memberships, manner, reply);
        if told.is_some() {
            return told;
        }
    }
    let mut tell = |found: Found<'_>| addresses(query, found, manner, reply);
    let told =
        names::readings(name, terms).find_map(|name| view::find(memberships, name, &mut tell));
    told.or_else(|| {
        let rest = names::below(name, terms.domain.as_ref()?)?;
        let draft = Draft::new(query, reply);
        match rest.is_empty() {
            true => draft.finish_known(manner),
            false => draft.finish_nobody(manner),
        }
        Some(())
    })
}

/// Writes whose the address is, or that nobody has it where nobody else could know. It comes before
/// names, or an alias could pose as the way back from an address.
fn point_back(
    query: &Query,
    address: IpAddr,
    memberships: &[Membership],
    manner: Manner,
    reply: &mut Vec<u8>,
) -> Option<()> {
    let told = view::find_reverse(memberships, address, |name, network| {
        let mut draft = Draft::new(query, reply);
        if matches!(query.rtype(), Rtype::PTR | Rtype::ANY) {
            draft.push_pointer(name, network, manner);
        }
        draft.finish_known(manner);
    });
    told.or_else(|| {
        let mut subnets = memberships.iter().flat_map(|one| &one.subnets);
        let ours = subnets.any(|subnet| subnet.contains(address));
        ours.then(|| Draft::new(query, reply).finish_nobody(manner))
    })
}

/// Writes the addresses of those who have the name, by the type that is asked for.
fn addresses(query: &Query, found: Found<'_>, manner: Manner, reply: &mut Vec<u8>) {
    let families: &[Family] = match query.rtype() {
        Rtype::A => &[Family::V4],
        Rtype::AAAA => &[Family::V6],
        Rtype::ANY => &[Family::V4, Family::V6],
        _ => &[],
    };
    let mut draft = Draft::new(query, reply);
    for family in families {
        draft.push_addresses(found.addresses(*family), manner);
    }
    draft.finish_known(manner);
}
