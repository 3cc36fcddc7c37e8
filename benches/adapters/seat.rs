//! A place in the rounds: a subject, what is on its host, and how to get another one where it failed.

use std::thread;
use std::time::{Duration, Instant};

use super::pod::{Form, Pod, Ports};
use super::rounds::Act;
use super::subject::{Column, Names, Outcome, Subject};

type Make = Box<dyn Fn() -> Outcome<Box<dyn Subject>> + Send>;

pub struct Seat {
    pub column: Column,
    names: Names,
    make: Make,
    /// None that can be had, or none since the last one failed.
    subject: Option<Box<dyn Subject>>,
    spare: Option<Pod>,
    existing: Vec<Pod>,
}

impl Seat {
    /// Where there is no subject, it is said once why.
    pub fn new(column: Column, names: Names, make: Make) -> Self {
        let mut seat = Self {
            column,
            names,
            make,
            subject: None,
            spare: Pod::make(0).ok(),
            existing: Vec::new(),
        };
        match (seat.make)() {
            Ok(subject) => seat.subject = Some(subject),
            Err(why) => seat.say("NOT MEASURED", &why.to_string()),
        }
        seat
    }

    pub fn is_there(&self) -> bool {
        self.subject.is_some()
    }

    pub fn is_alone(&self) -> bool {
        self.existing.is_empty()
    }

    pub fn can(&self, act: Act) -> bool {
        self.is_there() && self.names == act.names && self.column.can(act.ports)
    }

    /// Attaches containers with one port each, which stay.
    pub fn fill(&mut self, count: u16, fill_max: Duration) {
        let start = Instant::now();
        while self.existing.len() < usize::from(count) && start.elapsed() < fill_max {
            if self.subject.is_none() {
                return;
            }
            if let Err(why) = self.attach_further(1) {
                self.say("NOT MEASURED", &why.to_string());
                self.subject = None;
                return;
            }
        }
        let there = self.existing.len();
        if there < usize::from(count) {
            let words = format!("{there} existing containers instead of {count}, for want of time");
            self.say("FEWER", &words);
        }
    }

    /// One more that stays, with so many mappings.
    pub fn attach_further(&mut self, ports_each: u16) -> Outcome<Duration> {
        let number = u16::try_from(self.existing.len())? + 1;
        let ports = Ports {
            first: u16::try_from(30_000 + u32::from(number) * u32::from(ports_each))?,
            count: ports_each,
            form: Form::Mappings,
        };
        let pod = Pod::make(number)?;
        let subject = self.subject.as_mut().ok_or("nobody does it")?;
        let took = subject.attach(&pod, ports)?;
        self.existing.push(pod);
        Ok(took)
    }

    /// Attaches and detaches once. Whoever can't gets a new host, without what was there.
    pub fn round(&mut self, ports: Ports, rest: Duration) -> Result<[Duration; 2], String> {
        let times = self.attach_and_detach(ports, rest);
        thread::sleep(rest);
        times.map_err(|why| {
            // what it began goes with its host
            drop(self.subject.take());
            self.existing.clear();
            self.subject = (self.make)().ok();
            why.to_string()
        })
    }

    fn attach_and_detach(&mut self, ports: Ports, rest: Duration) -> Outcome<[Duration; 2]> {
        let subject = self.subject.as_mut().ok_or("nobody does it")?;
        let spare = self.spare.as_ref().ok_or("no namespace")?;
        let attached = subject.attach(spare, ports)?;
        thread::sleep(rest);
        Ok([attached, subject.detach(spare, ports)?])
    }

    pub fn say(&self, what: &str, words: &str) {
        let names = match self.names {
            Names::Silent => "",
            Names::Answered => ", names answered",
        };
        println!("{what}: {}{names}: {words}", self.column.heading());
    }
}
