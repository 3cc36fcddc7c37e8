//! What holds of the answer to any bytes whatever, for a fuzzer and for a run with a seed.

use std::sync::{Arc, LazyLock};

use bridgework::EndpointId;
use bridgework::resolver::{
    Client, ClientTerms, Forwarding, Manner, Membership, Names, Owner, Records, Transport, Verdict,
    View, answer, fail,
};
use domain::base::iana::{Opcode, Rcode};
use domain::base::{Header, Message};
use domain::rdata::AllRecordData;

/// It knows `db`, `all` 200 times over, and the way back from their addresses.
static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let records = Records::new("shop".parse().expect("a name"));
    for last in 0..200 {
        let name = format!("db{last}").parse().expect("a name");
        let aliases = ["all", if last == 1 { "db" } else { "many" }];
        let aliases = aliases.map(|alias| alias.parse().expect("a name"));
        let addresses = [
            [10, 0, 0, last].into(),
            [0xfd00, 0, 0, 0, 0, 0, 0, last.into()].into(),
        ];
        let id = EndpointId::from_bytes([last; 32]);
        records.insert(Owner::new(id, Names::new(name, aliases), addresses));
    }
    let membership = Membership {
        subnets: vec!["10.0.0.0/8".parse().expect("a subnet")],
        links: vec!["db2:cache".parse().expect("a link")],
        ..Membership::from(Arc::new(records))
    };
    let terms = ClientTerms {
        forwarding: Forwarding::Host,
        search: vec!["lan".parse().expect("a domain")],
        domain: None,
    };
    Client::new(Arc::new(View::new([membership])), terms)
});

/// Takes the first byte for how the rest is meant: as a message, as what follows a good header, or
/// as what follows a good name.
pub fn check(input: &[u8]) {
    let Some((mode, rest)) = input.split_first() else {
        return;
    };
    let transport = match mode & 1 {
        0 => Transport::Udp,
        _ => Transport::Tcp,
    };
    let start: &[u8] = match mode >> 1 & 3 {
        0 => b"",
        1 => b"\xab\xcd\x01\0\0\x01\0\0\0\0\0\0",
        2 => b"\xab\xcd\x01\0\0\x01\0\0\0\0\0\x01",
        _ => b"\xab\xcd\x01\0\0\x01\0\0\0\0\0\x01\x03all\0",
    };
    let manner = Manner {
        ttl_s: 0,
        turn: u32::from(*mode),
    };
    check_message(&[start, rest].concat(), transport, manner);
}

fn check_message(query: &[u8], transport: Transport, manner: Manner) {
    let mut reply = b"from before".to_vec();
    let verdict = answer(query, transport, &CLIENT, manner, &mut reply);
    let asked = Message::from_octets(query);
    let asked = asked.as_ref().ok().filter(|asked| !asked.header().qr());
    match (verdict, asked) {
        (Verdict::Ignore, None) => assert!(reply.is_empty()),
        (Verdict::Reply, Some(asked)) => check_reply(asked, transport, &reply),
        (Verdict::Forward(forwarded, _), Some(asked)) => {
            assert!(reply.is_empty());
            assert_eq!(forwarded.id(), asked.header().id());
            assert_eq!(forwarded.transport(), transport);
            assert!(query[12..].starts_with(forwarded.name_wire()));
            fail(&forwarded, &mut reply);
            check_reply(asked, transport, &reply);
            let header = Header::for_message_slice(&reply);
            assert_eq!((header.rcode(), header.aa()), (Rcode::SERVFAIL, false));
        }
        (verdict, _) => panic!("{verdict:?}"),
    }
}

fn check_reply(asked: &Message<&[u8]>, transport: Transport, reply: &[u8]) {
    let taken = asked.opt().map_or(512, |opt| opt.udp_payload_size());
    let limit = match transport {
        Transport::Udp => usize::from(taken.clamp(512, 1232)),
        Transport::Tcp => 65_535,
    };
    assert!(
        reply.len() <= limit,
        "{} bytes of {limit} to {:?}",
        reply.len(),
        asked.as_slice()
    );
    let message = Message::from_octets(reply).expect("a header");
    let (from, to) = (asked.header(), message.header());
    assert_eq!(
        (to.id(), to.opcode(), to.qr()),
        (from.id(), from.opcode(), true)
    );
    assert_eq!((to.rd(), to.cd(), to.ad()), (from.rd(), from.cd(), false));
    let is_fine = [Rcode::NOERROR, Rcode::NXDOMAIN].contains(&to.rcode());
    assert_eq!(is_fine && message.opt_rcode().to_int() < 16, to.aa());
    assert!(!is_fine || from.opcode() == Opcode::QUERY);

    let answers = message.answer().expect("a question that reads");
    assert!(asked.as_slice()[12..].starts_with(&reply[12..answers.pos()]));
    let mut section = Some(answers);
    while let Some(mut records) = section {
        for record in records.by_ref() {
            let record = record.expect("a record that reads");
            let contents = record.to_any_record::<AllRecordData<_, _>>();
            contents.expect("contents that read");
        }
        let end = records.pos();
        section = records.next_section().expect("a section that reads");
        assert!(
            section.is_some() || end == reply.len(),
            "nothing is left over"
        );
    }
}
