//! The kernel's own floor: the plan of the library's connect as raw messages, and as many raw elements
//! of a map as it has; alone, or behind the start of a process that does nothing.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::process::Command;
use std::thread;
use std::time::Duration;

use bridgework::plan::{Plan, Step};

use super::library::{Library, Records};
use super::pod::{Machine, Pod, Ports};
use super::program::Caller;
use super::subject::{Names, Outcome, Subject};
use crate::element::Elements;
use crate::floor::{Floor, Script, Until};

/// Whether a process is started first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Nothing,
    Process,
}

pub struct Raw {
    start: Start,
    /// Whose plans are performed.
    model: Library,
    /// What the model has in the place of each pod.
    doubles: BTreeMap<String, Pod>,
    /// What was made for each pod: its link, the first of its elements, and how many those are.
    made: BTreeMap<String, (u32, u32, u32)>,
    elements: Elements,
    elements_there: u32,
    caller: Caller,
    machine: Machine,
}

impl Raw {
    pub fn new(
        start: Start,
        model: Machine,
        (machine, limit): (Machine, Duration),
    ) -> Outcome<Self> {
        let model = Library::new(Records::None, Names::Silent, model)?;
        let script = Script::new(model.network().plan(), None);
        let made = wander(|| {
            Floor::enter(&machine.netns).perform(&script, None, Until::Acknowledged);
            Elements::make(0)
        });
        Ok(Self {
            start,
            model,
            doubles: BTreeMap::new(),
            made: BTreeMap::new(),
            elements: made?,
            elements_there: 0,
            caller: Caller::new(&machine.netns, &machine.state, limit),
            machine,
        })
    }

    /// A process that does nothing.
    fn begin(&self) -> Outcome<Duration> {
        match self.start {
            Start::Nothing => Ok(Duration::ZERO),
            Start::Process => Ok(self.caller.call(Command::new("/bin/true"), &[])?.took),
        }
    }
}

/// How many elements of maps and sets come with it.
fn elements_of(plan: &Plan) -> u32 {
    let counts = plan.steps().iter().map(|step| match step {
        Step::EditElements(edit) => edit.add.len(),
        _ => 0,
    });
    u32::try_from(counts.sum::<usize>()).unwrap_or(u32::MAX)
}

impl Subject for Raw {
    fn attach(&mut self, pod: &Pod, ports: Ports) -> Outcome<Duration> {
        if !self.doubles.contains_key(&pod.name) {
            let number = u16::try_from(self.doubles.len())?;
            let double = Pod {
                name: pod.name.clone(),
                ..Pod::make(number)?
            };
            self.doubles.insert(pod.name.clone(), double);
        }
        let double = &self.doubles[&pod.name];
        self.model.attach(double, ports)?;
        let endpoint = self.model.endpoint(double).ok_or("no endpoint")?;
        let script = Script::new(endpoint.plan(), Some(pod.netns.as_fd()));
        let count = elements_of(endpoint.plan());
        let home = &self.machine.netns;
        let mut took = self.begin()?;
        took +=
            wander(|| Floor::enter(home).perform(&script, Some(&pod.netns), Until::Acknowledged));
        let first = self.elements_there;
        took += self.elements.add(first, count);
        self.elements_there += count;
        self.made
            .insert(pod.name.clone(), (script.link(), first, count));
        Ok(took)
    }

    fn detach(&mut self, pod: &Pod, ports: Ports) -> Outcome<Duration> {
        let (link, first, count) = self.made.remove(&pod.name).ok_or("it is not attached")?;
        self.model.detach(&self.doubles[&pod.name], ports)?;
        let home = &self.machine.netns;
        let mut took = self.begin()?;
        took += wander(|| Floor::enter(home).delete(link));
        took += self.elements.remove(first, count);
        // rounds take away last what they added last
        self.elements_there = first;
        Ok(took)
    }
}

/// On a thread that may wander between namespaces.
fn wander<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(act).join()).expect("the kernel takes what it took of ours")
}
