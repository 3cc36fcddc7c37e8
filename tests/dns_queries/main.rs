//! Many queries that are nearly right, always the same ones. The fuzz target `dns_query` looks for
//! others.

mod check;

use check::check;

const CASES: u32 = 100_000;

/// What is changed: a query of each kind, after the byte that says that it is whole.
const QUERIES: [&[u8]; 10] = [
    b"\0\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x02db\0\0\x01\0\x01",
    b"\0\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x02db\x04shop\x03lan\0\0\xff\0\x01",
    b"\0\x12\x34\x01\x20\0\x01\0\0\0\0\0\x01\x03all\0\0\x1c\0\x01\0\0\x29\x10\0\0\0\x80\0\0\0",
    b"\0\x12\x34\x01\x20\0\x01\0\0\0\0\0\x01\x03ALL\0\0\x01\0\x01\0\0\x29\x02\x58\0\0\0\0\0\x04\0\x0a\0\0",
    b"\0\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x011\x010\x010\x0210\x07in-addr\x04arpa\0\0\x0c\0\x01",
    b"\0\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x017\x011\x012\x0210\x07in-addr\x04arpa\0\0\x0c\0\x01",
    b"\0\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x10\0\x01",
    b"\0\x12\x34\x01\0\0\x01\0\0\0\x01\0\0\x05cache\0\0\xfb\0\x01\xc0\x0c\0\x06\0\x01\0\0\0\0\0\0",
    b"\0\x12\x34\x28\0\0\x01\0\0\0\0\0\0\x02db\xc0\x0c\0\x01\0\x01",
    b"\x04\x02db\0\0\x01\0\x01\0\0\x29\x04\xd0\0\x01\0\0\0\0",
];

#[test]
fn whatever_is_asked_the_answer_reads_well_and_is_no_longer_than_the_client_takes() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for query in QUERIES {
        check(query);
    }
    for _ in 0..CASES {
        check(&random.input());
    }
}

/// Xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    fn input(&mut self) -> Vec<u8> {
        let mut input = QUERIES[self.below(QUERIES.len())].to_vec();
        input[0] ^= self.byte() & 1;
        for _ in 0..self.below(4) {
            self.change(&mut input);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len());
        match self.below(8) {
            0..3 => input
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte = self.byte()),
            3 => input
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte ^= 1 << self.below(8)),
            4 => input.truncate(at),
            5 => input.insert(at, self.byte()),
            6 => {
                let end = at + self.below(input.len() - at);
                let part = input[at..end].to_vec();
                let times = self.below(20);
                part.repeat(times)
                    .into_iter()
                    .for_each(|byte| input.push(byte));
            }
            _ => {
                let length = self.below(300);
                let bytes = (0..length).map(|_| self.byte()).collect::<Vec<_>>();
                input.splice(at..at, bytes);
            }
        }
    }
}
