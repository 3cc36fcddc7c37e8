//! What a power cut leaves. What a process does to the files of its store is written down, call by
//! call, and done again on a disk that keeps what was waited for and, of what was written since, any
//! part (`disk`). Whatever is left of it opens, is whole, and is as after one of the commits: what was
//! answered for before the log was last waited for is there, and what was never asked for is not.
//!
//! So it is with `synchronous=NORMAL` (https://www.sqlite.org/wal.html, "Performance Considerations"):
//! a commit waits for no disk, and each checkpoint waits for the log and then for the file.
//!
//! A run takes as many moments as fit into `POWER_SECONDS`, by chance; `POWER_SEED` repeats them, and
//! with `POWER_POINTS=all` all are taken.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bridgework::record::{Body, Key, Record};
use bridgework::store::{Change, Expected, Sqlite, Store};

use crate::child::{Part, command};
use crate::disk::{Disk, Image, Loss};
use crate::lab::chance::{Chance, seed};
use crate::lab::runner::{mark_begin, mark_end};
use crate::recording::{Act, record, said};
use crate::records::{network, reservation};
use crate::scratch::Scratch;
use crate::storm::CHILD;

/// How long an ordinary run takes moments.
const SECONDS: u64 = 4;
const COMMITS: u64 = 60;
/// So many small records are there at a time.
const KEPT: u64 = 20;
/// After so many commits all is opened anew.
const OPENED_ANEW: u64 = 40;
/// With so many commits comes a record that is larger than the log is ever kept.
const LARGE: u64 = 25;

fn small(number: u64) -> Record {
    let short = u16::try_from(number).expect("few");
    reservation(short, &format!("c{number}"))
}

/// Of so many bytes, and a bit more.
fn large(number: u64, bytes: usize) -> Record {
    let id = u8::try_from(number).expect("few");
    let mut record = network(id, &format!("n{id}"), &format!("10.{id}.0.0/16"));
    let Body::Network(of) = &mut record.body else {
        panic!("a network");
    };
    Arc::make_mut(of)
        .spec
        .labels
        .insert("l".into(), "x".repeat(bytes));
    record
}

/// The commit of that number, counted from 1.
fn change(number: u64) -> Change {
    let mut change = Change::new().put(small(number), Expected::Absent);
    if number > KEPT {
        change = change.delete(small(number - KEPT).key(), Expected::Anything);
    }
    match number {
        LARGE => change.put(large(number, 600_000), Expected::Absent),
        number if number == LARGE + 2 => change.delete(large(LARGE, 0).key(), Expected::Anything),
        number if number % 9 == 5 => change.put(large(number, 30_000), Expected::Absent),
        number if number % 9 == 8 => change.delete(large(number - 3, 0).key(), Expected::Anything),
        _ => change,
    }
}

/// The records, each with the number of its commit.
type Records = BTreeMap<Key, (u64, Record)>;

/// What there is after no commit, the first, and so on.
fn history() -> Vec<Records> {
    let mut history = vec![Records::new()];
    for number in 1..=COMMITS {
        let mut records = history[history.len() - 1].clone();
        let change = change(number);
        for (key, _) in change.delete {
            records.remove(&key);
        }
        let put = change.put.into_iter().map(|(record, _)| record);
        records.extend(put.map(|record| (record.key(), (number, record))));
        history.push(records);
    }
    history
}

/// What is recorded: two openers commit by turns, and say what they know.
pub fn commit_and_say(part: &Part) {
    let mut knows = fs::File::create(said(&part.directory)).expect("a file");
    let mut say = |number: u64| {
        let line = format!("{number}\n");
        knows.write_all(line.as_bytes()).expect("it is said");
    };
    let open = || [(); 2].map(|()| Sqlite::open(&part.directory).expect("a store"));
    mark_begin();
    let mut stores = open();
    say(stores[0].changes(None).expect("a view").revision.number());
    for number in 1..=COMMITS {
        if number == OPENED_ANEW {
            drop(stores);
            stores = open();
        }
        let store = &stores[(number % 2) as usize];
        store.commit(&change(number)).expect("a commit");
        say(number);
    }
    mark_end();
}

struct Recorded {
    acts: Vec<Act>,
    history: Vec<Records>,
    /// The revision of the store with nothing in it.
    begun: u64,
}

/// Records, and sees that nothing was missed: doing all of it again makes the same files.
fn recorded(scratch: &Scratch) -> Recorded {
    let directory = scratch.store();
    let mut command = command(CHILD, "commit and say", &directory, 0);
    let acts = record(&mut command, &directory);
    let mut disk = Disk::default();
    acts.iter().for_each(|act| disk.act(act));
    let mut found = Image::new();
    for file in fs::read_dir(&directory).expect("a directory") {
        let file = file.expect("a file");
        let name = file.file_name().into_string().expect("text");
        if name.starts_with("state.sqlite") && !name.ends_with("-shm") {
            found.insert(name, fs::read(file.path()).expect("its bytes"));
        }
    }
    assert!(disk.left(&mut Loss::Nothing) == found, "an act was missed");
    let begun = acts.iter().find_map(|act| match act {
        Act::Say(revision) => Some(*revision),
        _ => None,
    });
    Recorded {
        acts,
        history: history(),
        begun: begun.expect("it was opened"),
    }
}

/// A moment: what is on the disk, and what the process knew.
#[derive(Debug, Default)]
struct Moment {
    disk: Disk,
    /// Commits that were answered for; `None` before the store was open.
    answered: Option<u64>,
    /// Those of them that were so when the log was last waited for.
    safe: Option<u64>,
}

impl Recorded {
    /// After so many acts.
    fn moment(&self, acts: usize) -> Moment {
        let mut moment = Moment::default();
        let mut log = None;
        for act in &self.acts[..acts] {
            moment.disk.act(act);
            match act {
                Act::Make { name, file } if name.ends_with("-wal") => log = Some(*file),
                Act::Sync { file } if Some(*file) == log => moment.safe = moment.answered,
                Act::Say(_) => {
                    moment.answered = Some(moment.answered.map_or(0, |before| before + 1))
                }
                _ => {}
            }
        }
        moment
    }

    /// Opens what is left, and says after which commit it is; 0 where it is begun anew.
    fn open(&self, image: &Image, least: Option<u64>, most: u64) -> Result<u64, String> {
        let scratch = Scratch::new();
        let directory = scratch.store();
        fs::create_dir(&directory).expect("a directory");
        for (name, bytes) in image {
            fs::write(directory.join(name), bytes).expect("written");
        }
        let store = Sqlite::open(&directory).map_err(|error| error.to_string())?;
        let seen = store.changes(None).map_err(|error| error.to_string())?;
        if let Some(aside) = store.damaged() {
            return Err(format!("it was damaged: {}", aside.display()));
        }
        let commits = seen.revision.number().checked_sub(self.begun);
        let number = match commits.filter(|commits| *commits <= most) {
            Some(commits) => commits,
            None if least.is_none() && seen.records.is_empty() => 0,
            None => return Err(format!("{commits:?} is none of {least:?}..={most}")),
        };
        if least.is_some_and(|least| number < least) {
            return Err(format!("{number} is less than {least:?}"));
        }
        let records = seen.records.into_iter().map(|(at, record)| {
            let number = at.number().saturating_sub(self.begun);
            (record.key(), (number, record))
        });
        if records.collect::<Records>() != self.history[number as usize] {
            return Err(format!("it is not as after commit {number}"));
        }
        let next = Change::new().put(small(COMMITS + 1), Expected::Absent);
        let again = store.commit(&next).map_err(|error| error.to_string());
        again.map(|_| number)
    }
}

#[derive(Debug, Default)]
struct Tally {
    moments: usize,
    disks: usize,
    /// Commits that were answered for and are gone.
    most_lost: u64,
    longest: Duration,
    wrong: Vec<String>,
}

impl Tally {
    fn take(&mut self, recorded: &Recorded, acts: usize, chance: &mut Chance) {
        let moment = recorded.moment(acts);
        let most = moment.answered.map_or(0, |answered| answered + 1);
        self.moments += 1;
        let mut seen: Vec<Image> = Vec::new();
        for loss in 0..5 {
            let mut loss = match loss {
                0 => Loss::Nothing,
                1 => Loss::All,
                2 => Loss::Some(10, chance),
                3 => Loss::Some(50, chance),
                _ => Loss::Some(90, chance),
            };
            // a process that is killed loses nothing
            let least = match loss {
                Loss::Nothing => moment.answered,
                _ => moment.safe,
            };
            let image = moment.disk.left(&mut loss);
            if seen.contains(&image) {
                continue;
            }
            let begun = Instant::now();
            let opened = recorded.open(&image, least, most);
            self.longest = self.longest.max(begun.elapsed());
            self.disks += 1;
            match opened {
                Ok(number) => {
                    let lost = moment.answered.unwrap_or(0).saturating_sub(number);
                    self.most_lost = self.most_lost.max(lost);
                }
                Err(why) => self.wrong.push(format!("after {acts} acts: {why}")),
            }
            seen.push(image);
        }
    }
}

fn variable(key: &str) -> Option<u64> {
    let text = std::env::var(key).ok()?;
    Some(text.parse().unwrap_or_else(|e| panic!("{key}={text}: {e}")))
}

/// Takes moments until the time is over, or all.
fn replay(recorded: &Recorded) -> Tally {
    let seed = variable("POWER_SEED").unwrap_or_else(seed);
    println!("POWER_SEED={seed}");
    let (mut chance, mut tally) = (Chance::new(seed), Tally::default());
    let moments = recorded.acts.len() + 1;
    if std::env::var("POWER_POINTS").is_ok_and(|points| points == "all") {
        (0..moments).for_each(|acts| tally.take(recorded, acts, &mut chance));
    } else {
        let seconds = variable("POWER_SECONDS").unwrap_or(SECONDS);
        let until = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < until {
            let acts = chance.below(moments);
            tally.take(recorded, acts, &mut chance);
        }
    }
    println!("of {} acts {tally:.1?}", recorded.acts.len());
    tally
}

#[test]
fn after_a_power_cut_a_store_is_as_after_one_of_the_last_commits() {
    let scratch = Scratch::new();
    let tally = replay(&recorded(&scratch));
    let few: Vec<_> = tally.wrong.iter().take(5).collect();
    assert!(few.is_empty(), "{} disks: {few:#?}", tally.wrong.len());
}

/// What is shown above is shown by the waiting: without it, files come before the log that they need.
#[test]
fn a_disk_that_never_waits_for_the_log_is_found_out() {
    let scratch = Scratch::new();
    let mut recorded = recorded(&scratch);
    let log = recorded.acts.iter().find_map(|act| match act {
        Act::Make { name, file } if name.ends_with("-wal") => Some(*file),
        _ => None,
    });
    let wait = Act::Sync {
        file: log.expect("a log"),
    };
    recorded.acts.retain(|act| *act != wait);
    let (mut chance, mut tally) = (Chance::new(seed()), Tally::default());
    crate::lab::wait_until("a store that is damaged", || {
        let acts = chance.below(recorded.acts.len());
        tally.take(&recorded, acts, &mut chance);
        !tally.wrong.is_empty()
    });
    println!("{tally:.1?}");
}
