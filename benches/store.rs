//! What keeping records costs, beside the floor: the same bytes written to a file in the same place.
//!
//! `cargo bench --features store --bench store`
//!
//! `commit`: one record of 1.5 kB that changes, with the address and the name that it claims; its floor
//! is an append of so many bytes, without waiting for any disk. `idle`: to be told that nothing has
//! changed; its floor is to ask for the file's inode. `read`: all records; `open and read` also looks
//! through all of it for damage. Their floor is to read as many bytes. Median and 99th percentile in us, and the ratio of the medians. Without
//! `--bench` (as `cargo test` runs it) there are a few of each, which shows that it works and measures
//! nothing.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bridgework::record::{
    Body, ContainerFiles, ContainerRecord, DnsOverrides, Namespace, Phase, Record, Tenure,
};
use bridgework::spec::Stack;
use bridgework::store::{Change, Expected, Sqlite, Store};
use bridgework::{ContainerId, NamespaceId};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// An empty tmpfs of this process's own, once it has entered its sandbox.
const PLACE: &str = "/run";
const RECORD_BYTES: usize = 1500;

fn main() -> ExitCode {
    if let Err(error) = bridgework::sandbox::enter() {
        eprintln!("NOT MEASURED: {error}");
        return ExitCode::FAILURE;
    }
    let is_bench = std::env::args().any(|word| word == "--bench");
    let (rounds, records) = if is_bench { (5_000, 1_000) } else { (20, 20) };
    println!(
        "{:<22} {:>9} {:>9} {:>9} {:>9} {:>7}",
        "us", "store", "p99", "floor", "p99", "ratio"
    );
    match measure(rounds, records) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("NOT MEASURED: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(rounds: usize, records: u32) -> Outcome<()> {
    let directory = Path::new(PLACE).join("bench");
    let store = Sqlite::open(&directory)?;
    for number in 0..records {
        let put = Change::new().put(record(number, Phase::There)?, Expected::Absent);
        store.commit(&put)?;
    }
    commits(&store, rounds, records)?;
    let last = store.changes(None)?.revision;
    // not the store's own file: closing it would take away the engine's locks in this process
    let state = Path::new(PLACE).join("copy");
    let bytes = usize::try_from(records)?.saturating_mul(RECORD_BYTES);
    fs::write(&state, vec![b'x'; bytes])?;
    let idle = times(rounds * 10, || {
        let _looked = store.changes(Some(last))?;
        Ok(())
    })?;
    let floor = times(rounds * 10, || {
        let _looked = fs::metadata(&state)?;
        Ok(())
    })?;
    row("idle", idle, floor);
    let whole = times(rounds / 20, || {
        let _looked = store.changes(None)?;
        Ok(())
    })?;
    let floor = times(rounds / 20, || {
        let _looked = fs::read(&state)?;
        Ok(())
    })?;
    row(&format!("{records} read"), whole, floor);
    let open = times(rounds / 20, || {
        let _looked = Sqlite::open(&directory)?.changes(None)?;
        Ok(())
    })?;
    let floor = times(rounds / 20, || {
        let _looked = fs::read(&state)?;
        Ok(())
    })?;
    row(&format!("open and read {records}"), open, floor);
    let few = Path::new(PLACE).join("few");
    let open = times(rounds / 20, || {
        let _looked = Sqlite::open(&few)?.changes(None)?;
        Ok(())
    })?;
    let nothing = times(rounds / 20, || {
        let _looked = fs::read_dir(&few)?;
        Ok(())
    })?;
    row("open an empty one", open, nothing);
    Ok(())
}

/// A record that is there changes its phase, and one that was not there comes and goes.
fn commits(store: &Sqlite, rounds: usize, records: u32) -> Outcome<()> {
    let path = Path::new(PLACE).join("floor");
    let floor = || -> Outcome<Vec<Duration>> {
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        let bytes = [b'x'; RECORD_BYTES];
        times(rounds, || Ok(file.write_all(&bytes)?))
    };
    let phases = [record(0, Phase::Going)?, record(0, Phase::There)?];
    let mut phases = phases.iter().cycle();
    let phase = times(rounds, || {
        let record = phases.next().ok_or("a record")?;
        let put = Change::new().put(record.clone(), Expected::Anything);
        store.commit(&put)?;
        Ok(())
    })?;
    row("commit a phase", phase, floor()?);
    let new = record(records, Phase::Coming)?;
    let put = Change::new().put(new.clone(), Expected::Absent);
    let delete = Change::new().delete(new.key(), Expected::Anything);
    let mut changes = [&put, &delete].into_iter().cycle();
    let both = times(rounds, || {
        let change = changes.next().ok_or("a change")?;
        store.commit(change)?;
        Ok(())
    })?;
    row("commit, come and go", both, floor()?);
    Ok(())
}

fn record(number: u32, phase: Phase) -> Outcome<Record> {
    let mut id = [7; 32];
    id[..4].copy_from_slice(&number.to_be_bytes());
    let port = 20_000 + number % 40_000;
    let at = format!("127.0.0.1:{port}:80");
    let mapping: bridgework::PortMapping = at.parse()?;
    let published = bridgework::PublishedPort {
        host_address: [127, 0, 0, 1].into(),
        host_port: bridgework::Port::new(port)?,
        protocol: bridgework::Protocol::Tcp,
        container_port: bridgework::Port::new(80)?,
    };
    let container = ContainerRecord {
        id: ContainerId::from_bytes(id),
        name: format!("container-{number}").parse()?,
        hostname: "host".parse()?,
        domain: None,
        namespace: Namespace {
            path: Some(format!("/run/{}", "x".repeat(RECORD_BYTES - 600)).into()),
            identity: NamespaceId::new(4, 4_026_531_840, 1),
        },
        files: ContainerFiles::default(),
        dns: DnsOverrides::default(),
        published: BTreeMap::from([(mapping, vec![published])]),
        stack: Stack::Own,
        residence: None,
    };
    Ok(Record {
        body: Body::Container(Arc::new(container)),
        phase,
        tenure: Tenure::Kept,
        owner: bridgework::record::OwnerId::new(1),
    })
}

fn times(rounds: usize, mut work: impl FnMut() -> Outcome<()>) -> Outcome<Vec<Duration>> {
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds.max(1) {
        let begun = Instant::now();
        work()?;
        times.push(begun.elapsed());
    }
    Ok(times)
}

fn row(what: &str, store: Vec<Duration>, floor: Vec<Duration>) {
    let [store, floor] = [store, floor].map(|mut times| {
        times.sort();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e6;
        [at(50), at(99)]
    });
    println!(
        "{what:<22} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>7.1}",
        store[0],
        store[1],
        floor[0],
        floor[1],
        store[0] / floor[0]
    );
}
