//! What the resolver allocates to answer from what it knows: nothing. A binary of its own, since
//! it counts what the whole process allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use bridgework::EndpointId;
use bridgework::resolver::{
    Client, ClientTerms, Forwarding, Manner, Membership, Names, Owner, Records, Transport, Verdict,
    View, answer, reverse_name,
};

/// The system's allocator, and how often each thread asked it for memory.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    COUNT.with(|count| count.set(count.get() + 1));
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is handed on as it is to the system's allocator, whose promises these are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are the same
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are the same
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are the same
        unsafe { System.realloc(memory, layout, bytes) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the same
        unsafe { System.dealloc(memory, layout) }
    }
}

/// On 50 networks with a container each, and with an alias of all of them.
fn client(forwarding: Forwarding) -> Client {
    let network = |number: u8| {
        let records = Records::new(format!("n{number}").parse().unwrap());
        let names = Names::new(
            format!("c{number}").parse().unwrap(),
            ["all".parse().unwrap()],
        );
        let addresses = (0..40).map(|last| [10, number, 0, last].into());
        let id = EndpointId::from_bytes([number; 32]);
        records.insert(Owner::new(id, names, addresses));
        Membership {
            links: vec![format!("c{number}:link{number}").parse().unwrap()],
            subnets: vec![format!("10.{number}.0.0/16").parse().unwrap()],
            ..Membership::from(Arc::new(records))
        }
    };
    let terms = ClientTerms {
        forwarding,
        search: vec!["corp.example".parse().unwrap(), "lan".parse().unwrap()],
        domain: Some("dns.test".parse().unwrap()),
    };
    Client::new(Arc::new(View::new((0..50).map(network))), terms)
}

fn query(name: &str, rtype: u16, arcount: u8) -> Vec<u8> {
    let mut bytes = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, arcount];
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend_from_slice(&rtype.to_be_bytes());
    bytes.extend_from_slice(&[0, 1]);
    bytes.extend_from_slice(&[0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0][..11 * usize::from(arcount)]);
    bytes
}

/// What is decided on `query`, and how often memory was asked for by that.
fn cost(client: &Client, query: &[u8], reply: &mut Vec<u8>) -> (Verdict, u64) {
    let manner = Manner { ttl_s: 0, turn: 7 };
    let before = COUNT.get();
    let verdict = answer(query, Transport::Udp, client, manner, reply);
    (verdict, COUNT.get() - before)
}

#[test]
fn an_answer_from_what_is_known_allocates_nothing() {
    let client = client(Forwarding::Nobody);
    let held = reverse_name([10, 49, 0, 3].into());
    let free = reverse_name([10, 49, 9, 9].into());
    let mut reply = Vec::with_capacity(1232);
    let names = [
        "all", "C49", "c49.n49", "c49.lan", "link3", "nobody", &held, &free,
    ];
    for name in names {
        for rtype in [1, 28, 255, 12, 15, 252] {
            for arcount in [0, 1] {
                let query = query(name, rtype, arcount);
                let cost = cost(&client, &query, &mut reply);
                assert_eq!(cost, (Verdict::Reply, 0), "{name}, {rtype}");
            }
        }
    }
    for query in [
        &[0; 12][..],
        &[0; 3],
        &[0x80; 40],
        b"\0\0\x78\0\0\x01\0\0\0\0\0\0\0",
    ] {
        assert_eq!(cost(&client, query, &mut reply).1, 0, "{query:?}");
    }
}

#[test]
fn a_query_for_others_is_handed_on_without_an_allocation() {
    let client = client(Forwarding::Host);
    let query = query("www.example.com", 1, 1);
    let (verdict, allocations) = cost(&client, &query, &mut Vec::new());
    assert!(matches!(verdict, Verdict::Forward(..)));
    assert_eq!(allocations, 0);
}

#[test]
fn allocations_are_counted() {
    let client = client(Forwarding::Nobody);
    // a reply without capacity has to grow
    assert_ne!(cost(&client, &query("all", 1, 0), &mut Vec::new()).1, 0);
}
