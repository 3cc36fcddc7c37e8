//! All questions at once, and who answered: one thread, one `epoll`, all sockets of all namespaces.
//! What must be answered is waited for; what must not has until that is done, and a moment more.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bridgework::Netns;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use socket2::{Socket, Type};

use crate::doors::{Door, asking, understand};
use crate::echo::Passed;
use crate::model::{Kind, Place, Question};

/// How long what must be answered may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long a datagram may take before it is sent once more.
const AGAIN: Duration = Duration::from_millis(300);
/// How long what must not be answered is waited for when all that must has been.
const LINGER: Duration = Duration::from_millis(60);

/// Who answered, and whom it saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub by: Place,
    pub port: u16,
    pub client: IpAddr,
    /// By which address it was asked, where the socket knows.
    pub asked_by: Option<IpAddr>,
}

/// One question on its way.
struct Asked {
    question: Question,
    must: bool,
    socket: Option<Socket>,
    answer: Option<Answer>,
    /// For echo requests: who has seen it, and from whom; and whether it has come back.
    seen: Option<(Place, IpAddr)>,
    returned: bool,
    ended: bool,
}

pub struct Probes {
    doors: Vec<Door>,
    asked: Vec<Asked>,
    epoll: Epoll,
}

impl Probes {
    pub fn new(doors: Vec<Door>) -> Self {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("epoll");
        let probes = Self {
            doors,
            asked: Vec::new(),
            epoll,
        };
        for (number, door) in probes.doors.iter().enumerate() {
            probes.watch(door, number as u64);
        }
        probes
    }

    fn watch(&self, what: impl std::os::fd::AsFd, number: u64) {
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        let event = EpollEvent::new(flags, number);
        self.epoll.add(what, event).expect("epoll");
    }

    /// The answers, in the order of the questions; each question with whether it must have one.
    pub fn ask<'a>(
        mut self,
        questions: &[(Question, bool)],
        at: impl Fn(Place) -> &'a Netns,
    ) -> Vec<Option<Answer>> {
        let mut by_place: BTreeMap<Place, Vec<(Question, bool)>> = BTreeMap::new();
        for (question, must) in questions {
            by_place
                .entry(question.from)
                .or_default()
                .push((*question, *must));
        }
        for (place, questions) in by_place {
            let first = self.asked.len();
            let open = || {
                questions
                    .iter()
                    .map(|(question, must)| asked(*question, *must))
            };
            let opened = at(place)
                .run(|| open().collect::<Vec<_>>())
                .expect("inside");
            self.asked.extend(opened);
            for number in first..self.asked.len() {
                self.start(number);
            }
            self.serve(Duration::ZERO);
        }
        self.wait();
        let mut answers: BTreeMap<Question, Option<Answer>> = BTreeMap::new();
        for asked in self.asked {
            answers.insert(asked.question, asked.whole_answer());
        }
        let in_order = questions
            .iter()
            .map(|(question, _)| answers[question].clone());
        in_order.collect()
    }

    fn start(&mut self, number: usize) {
        if let Some(socket) = &self.asked[number].socket {
            self.watch(socket, (self.doors.len() + number) as u64);
        }
        self.send(number);
    }

    /// A datagram or an echo request; connections are on their way already.
    fn send(&mut self, number: usize) {
        let asked = &mut self.asked[number];
        let Question { from, kind, to, .. } = asked.question;
        let sent = match (kind, &asked.socket) {
            (Kind::Udp, Some(socket)) => socket.send(b"who am i").map(|_| ()),
            (Kind::Echo, _) => {
                let is_its = |door: &&Door| {
                    matches!(door, Door::Echoes(place, echo)
                        if *place == from && echo.is_ipv6() == to.is_ipv6())
                };
                match self.doors.iter().find(is_its) {
                    Some(Door::Echoes(_, echo)) => echo.send(to, number as u32),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        };
        // one that must be answered is sent again
        asked.ended |= sent.is_err() && !asked.must;
    }

    fn wait(&mut self) {
        let start = Instant::now();
        let mut again = start + AGAIN;
        let mut settled = None;
        loop {
            let now = Instant::now();
            let missing = self
                .asked
                .iter()
                .any(|asked| asked.must && !asked.is_answered());
            if !missing && settled.is_none() {
                settled = Some(now);
            }
            let open = self
                .asked
                .iter()
                .any(|asked| !asked.ended && !asked.is_answered());
            let lingered = settled.is_some_and(|settled| now > settled + LINGER);
            if !open || lingered || now > start + DEADLINE {
                return;
            }
            if now > again {
                again = now + AGAIN;
                self.send_again();
            }
            self.serve(Duration::from_millis(20));
        }
    }

    fn send_again(&mut self) {
        for number in 0..self.asked.len() {
            let asked = &self.asked[number];
            if asked.must && !asked.is_answered() {
                self.send(number);
            }
        }
    }

    /// What has happened until now, or does within `patience`.
    fn serve(&mut self, patience: Duration) {
        let mut events = vec![EpollEvent::empty(); 512];
        let patience = patience.as_millis() as u16;
        loop {
            let count = match self.epoll.wait(&mut events, patience) {
                Ok(count) => count,
                Err(nix::errno::Errno::EINTR) => continue,
                Err(errno) => panic!("epoll: {errno}"),
            };
            for event in &events[..count] {
                self.happened(event.data() as usize);
            }
            if count < events.len() {
                return;
            }
        }
    }

    fn happened(&mut self, number: usize) {
        let Some(door) = self.doors.get(number) else {
            return self.asked[number - self.doors.len()].hear();
        };
        door.answer();
        let Door::Echoes(place, echo) = door else {
            return;
        };
        for passed in echo.passed() {
            match passed {
                Passed::Request(number, from) => {
                    self.asked[number as usize].seen = Some((*place, from));
                }
                Passed::Reply(number) => {
                    let asked = &mut self.asked[number as usize];
                    asked.returned |= asked.question.from == *place;
                }
            }
        }
    }
}

/// Opens what it takes to ask.
fn asked(question: Question, must: bool) -> Asked {
    let to = SocketAddr::new(question.to, question.port);
    let socket = match question.kind {
        Kind::Tcp => Some(asking(to, Type::STREAM)),
        Kind::Udp => Some(asking(to, Type::DGRAM)),
        Kind::Echo => None,
    };
    let failed = matches!(socket, Some(Err(_)));
    Asked {
        question,
        must,
        socket: socket.and_then(Result::ok),
        answer: None,
        seen: None,
        returned: false,
        ended: failed,
    }
}

impl Asked {
    fn is_answered(&self) -> bool {
        self.answer.is_some() || (self.returned && self.seen.is_some())
    }

    fn hear(&mut self) {
        let Some(socket) = &self.socket else {
            return;
        };
        let asked_by = socket.local_addr().ok().and_then(|at| at.as_socket());
        let mut buffer = [0; 128];
        let heard = std::io::Read::read(&mut &*socket, &mut buffer);
        match heard {
            Ok(length) => {
                self.ended = true;
                self.answer = understand(&buffer[..length]).map(|(by, port, client)| Answer {
                    by,
                    port,
                    client,
                    asked_by: asked_by.map(|at| at.ip()),
                });
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            // a datagram may be refused once and answered later
            Err(_) => self.ended = !self.must || self.question.kind == Kind::Tcp,
        }
        if self.ended {
            self.socket = None;
        }
    }

    fn whole_answer(self) -> Option<Answer> {
        let echoed = self
            .seen
            .filter(|_| self.returned)
            .map(|(by, client)| Answer {
                by,
                port: 0,
                client,
                asked_by: None,
            });
        self.answer.or(echoed)
    }
}
