//! What the answer to a query costs: to parse it, to decide, and to encode the reply, in this
//! process and without a socket.
//!
//! `cargo bench --bench answer`
//!
//! Every query has EDNS, and asks for another of the names, in random order. The last column is
//! the cost with 10,000 names over that with 10. `floor` reads the query's header and copies the
//! query into the reply, as an echo server would.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use bridgework::EndpointId;
use bridgework::resolver::{
    Client, ClientTerms, Forwarding, Manner, Names, Owner, Records, Transport, Verdict, View,
    answer, reverse_name,
};

/// Short enough to be done before another process has its turn.
const BLOCK: usize = 500;
const BLOCKS: usize = 4001;
const COUNTS: [u32; 2] = [10, 10_000];

const A: u16 = 1;
const PTR: u16 = 12;
const AAAA: u16 = 28;

fn main() {
    println!("median of {BLOCKS} blocks of {BLOCK} queries, ns a query");
    println!(
        "{:<34} {:>9} {:>12} {:>6}",
        "query", "10 names", "10,000 names", "ratio"
    );
    row("floor", |number| query(&name(number), A), Action::Copy);
    row("A, one address", |n| query(&name(n), A), Action::Answer);
    row(
        "A, name.network",
        |n| query(&qualified(n), A),
        Action::Answer,
    );
    row(
        "A, under a search domain",
        |n| query(&searched(n), A),
        Action::Answer,
    );
    row(
        "AAAA, no such record",
        |n| query(&name(n), AAAA),
        Action::Answer,
    );
    row(
        "PTR",
        |n| query(&reverse_name(address(n)), PTR),
        Action::Answer,
    );
    row(
        "A, to be forwarded",
        |n| query(&foreign(n), A),
        Action::Forward,
    );
}

/// What is done with each query.
#[derive(Clone, Copy)]
enum Action {
    Copy,
    Answer,
    Forward,
}

fn name(number: u32) -> String {
    format!("container-{number}")
}

fn qualified(number: u32) -> String {
    format!("container-{number}.shop")
}

fn searched(number: u32) -> String {
    format!("container-{number}.corp.example")
}

fn foreign(number: u32) -> String {
    format!("host-{number}.example.com")
}

fn address(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0002 + number).into()
}

/// A client on two networks, which knows that many names on the second.
fn client(count: u32) -> Client {
    let front = Arc::new(Records::new("front".parse().expect("a name")));
    let shop = Arc::new(Records::new("shop".parse().expect("a name")));
    for number in 0..count {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let first = name(number).parse().expect("a name");
        let alias = format!("alias-{number}").parse().expect("a name");
        let names = Names::new(first, [alias]);
        let owner = Owner::new(EndpointId::from_bytes(id), names, [address(number)]);
        shop.insert(owner);
    }
    let terms = ClientTerms {
        forwarding: Forwarding::Host,
        search: vec!["corp.example".parse().expect("a domain")],
        domain: None,
    };
    Client::new(Arc::new(View::new([front.into(), shop.into()])), terms)
}

/// A query with EDNS.
fn query(name: &str, rtype: u16) -> Vec<u8> {
    let mut bytes = b"\x12\x34\x01\x20\0\x01\0\0\0\0\0\x01".to_vec();
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend_from_slice(&rtype.to_be_bytes());
    bytes.extend_from_slice(b"\0\x01\0\0\x29\x04\xd0\0\0\0\0\0\0");
    bytes
}

fn row(text: &str, query: impl Fn(u32) -> Vec<u8>, action: Action) {
    let [few, many] = COUNTS.map(|count| cost_ns(count, &query, action));
    println!("{text:<34} {few:>9.0} {many:>12.0} {:>6.2}", many / few);
}

fn cost_ns(count: u32, query: impl Fn(u32) -> Vec<u8>, action: Action) -> f64 {
    let client = client(count);
    let mut queries: Vec<Vec<u8>> = (0..count).map(query).collect();
    shuffle(&mut queries);
    let mut reply = Vec::with_capacity(1232);
    let mut turn = 0;
    let mut asked = queries.iter().cycle();
    let mut costs: Vec<f64> = (0..BLOCKS)
        .map(|_| {
            let start = Instant::now();
            for query in asked.by_ref().take(BLOCK) {
                turn += 1;
                act(query, &client, action, turn, &mut reply);
            }
            start.elapsed().as_nanos() as f64 / BLOCK as f64
        })
        .collect();
    costs.sort_by(f64::total_cmp);
    costs[BLOCKS / 2]
}

fn act(query: &[u8], client: &Client, action: Action, turn: u32, reply: &mut Vec<u8>) {
    if let Action::Copy = action {
        reply.clear();
        if black_box(query)[2] & 0x80 == 0 {
            reply.extend_from_slice(query);
        }
        black_box(&reply);
        return;
    }
    let manner = Manner { ttl_s: 0, turn };
    let verdict = answer(black_box(query), Transport::Udp, client, manner, reply);
    match (action, &verdict) {
        (Action::Forward, Verdict::Forward(..)) | (Action::Answer, Verdict::Reply) => {}
        _ => panic!("{verdict:?}"),
    }
    black_box((&verdict, &reply));
}

/// The same order in every run.
fn shuffle<T>(values: &mut [T]) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for index in (1..values.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        values.swap(index, (state % (index as u64 + 1)) as usize);
    }
}
