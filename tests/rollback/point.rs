//! Where and how a call fails, and what an error has to say about it.

use std::fmt;

use bridgework::plan::{Plan, Redirect, Step};
use bridgework::{Errno, Error, Fault, FaultInjector};

pub const ERRNOS: [Errno; 7] = [
    Errno::EBUSY,
    Errno::EEXIST,
    Errno::ENOENT,
    Errno::ENOBUFS,
    Errno::EINTR,
    Errno::ENOMEM,
    Errno::EPERM,
];

/// The calls that performing a plan takes: one for each step, and two for the sockets that a redirect
/// leads to.
pub fn lines(plan: &Plan) -> Vec<String> {
    let calls = plan
        .steps()
        .iter()
        .zip(plan.lines())
        .flat_map(|(step, line)| {
            let sockets = match step {
                Step::AddRedirect(redirect) => {
                    let Redirect { server, port } = redirect;
                    let bind = |protocol| format!("bind {server}:{port}/{protocol}");
                    vec![bind("udp"), bind("tcp")]
                }
                _ => Vec::new(),
            };
            sockets.into_iter().chain([line])
        });
    calls.collect()
}

fn is_redirect(label: &str) -> bool {
    label.starts_with("lead what is sent")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The call is not made.
    Refused,
    /// The call is made, and nobody hears of it.
    AnswerLost,
}

/// One call that fails.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// Which call, counted from 1.
    pub call: usize,
    pub errno: Errno,
    pub moment: Moment,
}

/// Each of so many calls, in every way.
pub fn points(calls: usize) -> impl Iterator<Item = Point> {
    let ways = |call| {
        let moments = [Moment::Refused, Moment::AnswerLost];
        moments.into_iter().flat_map(move |moment| {
            ERRNOS.map(|errno| Point {
                call,
                errno,
                moment,
            })
        })
    };
    (1..=calls).flat_map(ways)
}

/// Each of so many calls, refused and unheard of, with two errors each: all of them in turn.
pub fn few_points(calls: usize) -> impl Iterator<Item = Point> {
    points_in_turn(calls, 2)
}

/// As [`few_points`], with one error each.
pub fn fewest_points(calls: usize) -> impl Iterator<Item = Point> {
    points_in_turn(calls, 1)
}

fn points_in_turn(calls: usize, errors: usize) -> impl Iterator<Item = Point> {
    let errors = match std::env::var("ROLLBACK_POINTS").as_deref() {
        Ok("all") => ERRNOS.len(),
        _ => errors,
    };
    let chosen = move |point: &Point| {
        let nth = |n| ERRNOS[(point.call + n * (ERRNOS.len() / 2)) % ERRNOS.len()];
        (0..errors).any(|n| nth(n) == point.errno)
    };
    points(calls).filter(chosen)
}

impl Point {
    pub fn arm(&self, injector: &FaultInjector) {
        let call = self.call as u64;
        match self.moment {
            Moment::Refused => injector.fail_nth(call, self.errno),
            Moment::AnswerLost => injector.lose_nth_answer(call, self.errno),
        }
    }

    /// The error names the step and what the kernel said, and nothing is left behind.
    pub fn check(&self, error: &Error, label: &str) {
        assert!(error.left_behind().is_empty(), "{self}: {error}");
        let fault = &error.faults()[0];
        let (doing, errno) = match fault {
            Fault::Kernel { doing, errno, .. } => (doing.clone(), *errno),
            Fault::Privilege { why, .. } => {
                let (doing, _) = why.split_once(": it is needed").expect("the step, and why");
                (doing.to_owned(), Errno::EPERM)
            }
            // the link is there, since it is the answer alone that was lost
            Fault::LinkExists { .. } if self.moment == Moment::AnswerLost => return,
            // a table may need what the kernel does not have
            Fault::Unsupported { .. } if self.errno == Errno::ENOENT && is_redirect(label) => {
                return;
            }
            other => panic!("{self}: {other:?}"),
        };
        assert_eq!((mask(&doing), errno), (mask(label), self.errno), "{self}");
        let text = error.to_string();
        // a tab shows as one: an error is one line of text
        let shown = doing.replace('\t', "\\t");
        assert!(text.contains(&shown), "{self}: {text}");
        assert!(!error.attempt().is_empty(), "{self}: {text}");
    }

    /// Whether `next` is of another call, or fails at another moment.
    pub fn is_last_of_its_kind(&self, next: Option<&Point>) -> bool {
        let kind = |point: &Point| (point.call, point.moment);
        next.is_none_or(|next| kind(next) != kind(self))
    }

    /// A name or an index that is derived from an id and taken is chosen anew.
    pub fn may_be_overcome(&self) -> bool {
        [Errno::EEXIST, Errno::EBUSY].contains(&self.errno)
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            call,
            errno,
            moment,
        } = self;
        write!(f, "call {call}, {errno}, {moment:?}")
    }
}

/// `line` without what comes out otherwise each time: ids, and what is derived from them.
pub fn mask(line: &str) -> String {
    let words = line.split([' ', '\t']).map(mask_word);
    words.collect::<Vec<_>>().join(" ")
}

fn mask_word(word: &str) -> String {
    let hex = |text: &str| text.chars().all(|c| c.is_ascii_hexdigit());
    let bare = word.trim_matches(['\'', '"']);
    let is_mac = bare.len() == 17 && bare.split(':').all(|pair| pair.len() == 2 && hex(pair));
    let is_index = bare.len() > 6 && bare.chars().all(|c| c.is_ascii_digit());
    let is_id = bare.len() == 12 && hex(bare);
    if is_mac || is_index || is_id || bare.starts_with("fe80::") || bare.starts_with("veth") {
        return "*".to_owned();
    }
    match word.split_once("br-") {
        Some((before, after)) if after.len() >= 12 => format!("{before}br-*{}", &after[12..]),
        _ => word.to_owned(),
    }
}

#[test]
fn only_what_is_random_is_masked() {
    let line = "ip link add name br-0123456789ab index 19738159 address d2:00:00:00:00:01 mtu 1500";
    assert_eq!(
        mask(line),
        "ip link add name br-* index * address * mtu 1500"
    );
    let line = "sysctl -w net/ipv4/conf/br-0123456789ab/accept_redirects=0";
    assert_eq!(
        mask(line),
        "sysctl -w net/ipv4/conf/br-*/accept_redirects=0"
    );
    let line = "ip -n a addr add 10.0.0.2/24 brd + dev eth0";
    assert_eq!(mask(line), line);
}

#[test]
fn in_turn_each_call_fails_at_both_moments_and_each_error_comes() {
    for errors in 1..=2 {
        let chosen: Vec<Point> = points_in_turn(7, errors).collect();
        assert!(chosen.len() >= 2 * 7 * errors);
        for errno in ERRNOS {
            assert!(chosen.iter().any(|point| point.errno == errno), "{errno}");
        }
        for call in 1..=7 {
            for moment in [Moment::Refused, Moment::AnswerLost] {
                let at = |point: &&Point| (point.call, point.moment) == (call, moment);
                assert!(chosen.iter().filter(at).count() >= errors, "{call}");
            }
        }
    }
}
