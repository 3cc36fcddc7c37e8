//! A transaction as one datagram, and the way back from what the kernel says of a message to the
//! change and the element that it is about. Pure.

use super::Change;
use super::element::{self, Extent};
use super::numbers::{
    BATCH_BEGIN, BATCH_END, DELCHAIN, DELRULE, DELSETELEM, DELTABLE, DESTROYSETELEM, DESTROYTABLE,
    ELEMENT_F_INTERVAL_END, ELEMENT_FLAGS, ELEMENTS_LIST, ELEMENTS_SET, ELEMENTS_TABLE, NEWCHAIN,
    NEWRULE, NEWSET, NEWSETELEM, NEWTABLE, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL,
    NLM_F_REQUEST, RESOURCE, table_family,
};
use super::rule;
use super::table::{write_chain, write_set, write_table};
use super::write::{Header, Writer};
use super::{Absence, Presence, RawRule};
use crate::netlink::attribute::{find, walk};
use crate::netlink::bytes::align;
use crate::plan::nft::{Element, Table, TableFamily};

const BATCH_GENID: u16 = 1;
// enum nft_rule_attributes
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;
const RULE_USERDATA: u16 = 7;
const TABLE_NAME: u16 = 1;
// enum nft_chain_attributes
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;

/// A nested list can't be longer than 64 KiB; an element is far shorter than half of that.
const LIST_BYTES: usize = 32 * 1024;
const HEADERS_BYTES: usize = 20;

/// All changes as one datagram.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    messages: Vec<Message>,
    first_sequence: u32,
}

/// One message between the beginning and the end.
#[derive(Debug)]
struct Message {
    start: usize,
    change: usize,
    /// The place among the change's elements that its first has.
    first_element: usize,
}

/// What the kernel's word is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which of the changes.
    pub(crate) change: usize,
    /// Which of its elements, if it has any and the kernel says so.
    pub(crate) element: Option<usize>,
}

impl Batch {
    /// Nothing is to be done.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// How many sequence numbers it has taken.
    pub(crate) fn sequences(&self) -> usize {
        self.messages.len() + 2
    }

    /// Whether the number is one of its own.
    pub(crate) fn has(&self, sequence: u32) -> bool {
        self.index(sequence) < self.sequences()
    }

    /// Whether it is that of the message whose answer is the last.
    pub(crate) fn is_last(&self, sequence: u32) -> bool {
        self.index(sequence) == self.messages.len()
    }

    fn index(&self, sequence: u32) -> usize {
        usize::try_from(sequence.wrapping_sub(self.first_sequence)).unwrap_or(usize::MAX)
    }

    /// What an answer with that number is about, and the attribute at that offset; `None` is the
    /// whole of it.
    pub(crate) fn place(&self, sequence: u32, offset: Option<usize>) -> Option<Place> {
        let message = self.messages.get(self.index(sequence).checked_sub(1)?)?;
        let element = offset.and_then(|offset| self.element(message, offset));
        Some(Place {
            change: message.change,
            element,
        })
    }

    /// The element whose bytes the offset is in.
    fn element(&self, message: &Message, offset: usize) -> Option<usize> {
        let body = self.bytes.get(message.start + HEADERS_BYTES..)?;
        let mut at = HEADERS_BYTES;
        let list = walk(body).find_map(|(kind, value)| {
            let inside = at + 4;
            at += align(4 + value.len());
            (kind == ELEMENTS_LIST).then_some((inside, value))
        });
        let (mut at, list) = list?;
        let mut begun = 0;
        for (_, item) in walk(list) {
            if at > offset {
                break;
            }
            let flags = find(item, ELEMENT_FLAGS);
            if flags != Some(&ELEMENT_F_INTERVAL_END.to_be_bytes()) {
                begun += 1;
            }
            at += align(4 + item.len());
        }
        Some(message.first_element + usize::checked_sub(begun, 1)?)
    }
}

/// The changes in their order, numbered from `first_sequence`. With a generation, the kernel
/// refuses all if anybody has changed anything since. The last of the changes is acknowledged, not
/// the end: kernels before 6.10 never answer that.
pub(crate) fn encode(
    changes: &[Change<'_>],
    generation: Option<u32>,
    first_sequence: u32,
) -> Batch {
    let mut encoder = Encoder {
        writer: Writer::with_capacity(256),
        messages: Vec::with_capacity(changes.len()),
        first_sequence,
        change: 0,
    };
    let begin = encoder.frame(BATCH_BEGIN, first_sequence);
    encoder.writer.message(begin, |body| {
        if let Some(generation) = generation {
            body.number(BATCH_GENID, generation);
        }
    });
    for (index, change) in changes.iter().enumerate() {
        encoder.change = index;
        encoder.write(change);
    }
    if let Some(last) = encoder.messages.last() {
        encoder.writer.add_flags(last.start, NLM_F_ACK);
    }
    let end = encoder.frame(BATCH_END, encoder.next_sequence());
    encoder.writer.message(end, |_| {});
    Batch {
        bytes: encoder.writer.into_bytes(),
        messages: encoder.messages,
        first_sequence,
    }
}

struct Encoder {
    writer: Writer,
    messages: Vec<Message>,
    first_sequence: u32,
    /// The change that is being written.
    change: usize,
}

impl Encoder {
    fn next_sequence(&self) -> u32 {
        let count = u32::try_from(self.messages.len() + 1).unwrap_or(u32::MAX);
        self.first_sequence.wrapping_add(count)
    }

    fn frame(&self, kind: u16, sequence: u32) -> Header {
        Header {
            kind,
            flags: NLM_F_REQUEST,
            sequence,
            family: 0,
            resource: RESOURCE,
        }
    }

    fn write(&mut self, change: &Change<'_>) {
        match change {
            Change::AddTable(table) => self.table(table, NLM_F_CREATE),
            Change::NewTable(table) => self.table(table, NLM_F_CREATE | NLM_F_EXCL),
            Change::AddSet(table, set) => {
                let id = self.next_sequence();
                self.message(NEWSET, NLM_F_CREATE, table.family, |body| {
                    write_set(body, table, set, id);
                });
            }
            Change::AddChain(table, chain) => {
                self.message(NEWCHAIN, NLM_F_CREATE, table.family, |body| {
                    write_chain(body, table, chain);
                });
            }
            Change::DeleteChain(table, chain) => {
                self.part(DELCHAIN, table, (CHAIN_TABLE, CHAIN_NAME), chain.name);
            }
            Change::FlushChain(table, chain) => {
                self.part(DELRULE, table, (RULE_TABLE, RULE_CHAIN), chain.name);
            }
            Change::AddRule(table, chain, rule) => {
                self.rule(table, chain.name, &[], |list| {
                    rule::write(list, table.family, rule);
                });
            }
            Change::AddRawRule(table, chain, rule) => {
                let RawRule {
                    expressions,
                    userdata,
                } = rule;
                self.rule(table, chain, userdata, |list| list.raw(expressions));
            }
            Change::FlushSet(table, set) => {
                self.part(DELSETELEM, table, (ELEMENTS_TABLE, ELEMENTS_SET), set.name);
            }
            Change::AddElements(elements, presence) => {
                let flags = match presence {
                    Presence::Refused => NLM_F_CREATE | NLM_F_EXCL,
                    Presence::Accepted => NLM_F_CREATE,
                };
                self.elements(NEWSETELEM, flags, elements, Extent::Whole);
            }
            Change::DeleteElements(elements, absence) => {
                let kind = match absence {
                    Absence::Refused => DELSETELEM,
                    Absence::Accepted => DESTROYSETELEM,
                };
                self.elements(kind, 0, elements, Extent::Key);
            }
            Change::DeleteTable(family, name, absence) => {
                let kind = match absence {
                    Absence::Refused => DELTABLE,
                    Absence::Accepted => DESTROYTABLE,
                };
                self.message(kind, 0, *family, |body| body.text(TABLE_NAME, name));
            }
        }
    }

    fn table(&mut self, table: &Table, flags: u16) {
        self.message(NEWTABLE, flags, table.family, |body| {
            write_table(body, table);
        });
    }

    fn rule(
        &mut self,
        table: &Table,
        chain: &str,
        userdata: &[u8],
        expressions: impl FnOnce(&mut Writer),
    ) {
        self.message(NEWRULE, NLM_F_CREATE | NLM_F_APPEND, table.family, |body| {
            body.text(RULE_TABLE, table.name);
            body.text(RULE_CHAIN, chain);
            body.nested(RULE_EXPRESSIONS, expressions);
            if !userdata.is_empty() {
                body.attribute(RULE_USERDATA, userdata);
            }
        });
    }

    /// What is said of a part of a table is its name and the table's.
    fn part(&mut self, kind: u16, table: &Table, (of, name): (u16, u16), part: &str) {
        self.message(kind, 0, table.family, |body| {
            body.text(of, table.name);
            body.text(name, part);
        });
    }

    fn message(
        &mut self,
        kind: u16,
        flags: u16,
        family: TableFamily,
        fill: impl FnOnce(&mut Writer),
    ) {
        self.message_of(kind, flags, family, 0, fill);
    }

    fn message_of(
        &mut self,
        kind: u16,
        flags: u16,
        family: TableFamily,
        first_element: usize,
        fill: impl FnOnce(&mut Writer),
    ) {
        let header = Header {
            kind,
            flags: NLM_F_REQUEST | flags,
            sequence: self.next_sequence(),
            family: table_family(family),
            resource: 0,
        };
        let start = self.writer.message(header, fill);
        self.messages.push(Message {
            start,
            change: self.change,
            first_element,
        });
    }

    /// Those of one set that follow each other, as few messages as possible.
    fn elements(&mut self, kind: u16, flags: u16, elements: &[Element], extent: Extent) {
        let mut done = 0;
        while let Some(first) = elements.get(done) {
            let mut written = 0;
            self.message_of(kind, flags, first.family, done, |body| {
                body.text(ELEMENTS_TABLE, first.table);
                body.text(ELEMENTS_SET, first.set);
                body.nested(ELEMENTS_LIST, |list| {
                    let begin = list.len();
                    for element in elements.iter().skip(done) {
                        if !is_beside(element, first) || list.len() - begin > LIST_BYTES {
                            break;
                        }
                        element::write(list, element, extent);
                        written += 1;
                    }
                });
            });
            done += written;
        }
    }
}

fn is_beside(one: &Element, other: &Element) -> bool {
    (one.set, one.table, one.family) == (other.set, other.table, other.family)
}
