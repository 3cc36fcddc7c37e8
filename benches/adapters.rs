//! What attaching and detaching containers costs through the library and through its adapters, beside
//! netavark, the CNI reference plugins, Docker and the kernel's own floor, in one run.
//!
//! ```sh
//! benches/adapters/peers target/peers
//! cargo build --release --features store --examples
//! BRIDGEWORK_PEERS=target/peers cargo bench --features store --bench adapters [-- WORDS]
//! ```
//!
//! The words name a part (`acts`, `starts`, `growth`) and whom to measure (`floor`, `started`, `library`,
//! `kept`, `docker`, `netavark`, `netavark-1.4`, `netavark-2.1`, `cni`, `cni-plugins`); without them it is
//! all.
//!
//! Each subject has a host of its own. Rounds alternate between all, each begins with another, and after
//! each act nobody does anything for 20 ms, so that the kernel ends what it still has to do. Figures are
//! milliseconds: medians, and the least of all rounds, since the machine may be busy.
//!
//! * `kernel floor`: the messages of the library's own connect, raw (`floor/mod.rs`), and as many raw
//!   elements of a map as come with it; to detach, one `RTM_DELLINK`, which returns when the kernel has
//!   waited for all who might still look, and the same elements. `floor + a process` starts `/bin/true`
//!   before that, which is what no adapter can do without.
//! * `library`: in this process, which lives on, without records, and with records in a directory;
//!   from opening the container's namespace on. It returns from a detach when the link is gone for
//!   everybody, and what the kernel waits for then goes on behind.
//! * The adapters and the peers: whole processes, from being started to their end. netavark gets the
//!   words of podman 4.3; CNI plugins are called as libcni calls them, and what the runtime does between
//!   two plugins of a chain is not counted. CNI has no ranges of ports.
//! * Docker: from asking its daemon, which lives on, to its answer. It lives in namespaces of its own, in
//!   rootless mode, so that it needs no control groups; root alone can give it the ids for that. It
//!   connects containers that run, to its default network where names are silent; each was connected once
//!   before, which began its server of names. It publishes no port of a container that runs: that stands
//!   beside the library without any, and `starts` is what a network and a port add to the start of a
//!   container, and to its removal. The others that exist were started with a port each.
//! * Where no other container exists, whole processes also make the bridge and the firewall, and take
//!   away what they made: a bridge's end alone costs the kernel some 30 ms. The floor and the library have
//!   a network already.
//! * `names answered`: the network has a name server; the library answers at 127.0.0.11 by a thread of
//!   its own, the peers' netavark by aardvark-dns, ours by a process of its own. Where no container exists,
//!   the process is started by the attach and ended by the detach. Docker has a thread for each container.
//!
//! Without `--bench` (as `cargo test` runs it) there is little of each, and what is not there is said by
//! name. Sizes: `ADAPTERS_ROUNDS`, `ADAPTERS_EXISTING`, `ADAPTERS_GROWTH` (containers), and the most
//! seconds of one call, of the rounds of one act, of the containers that exist and of the growth:
//! `ADAPTERS_CALL_MAX_S`, `ADAPTERS_ACT_MAX_S`, `ADAPTERS_FILL_MAX_S`, `ADAPTERS_GROWTH_MAX_S`, of each
//! subject.

#[path = "adapters/mod.rs"]
mod rooms;

// other benches use more of these
#[allow(dead_code)]
mod docker;
#[allow(dead_code)]
mod element;
#[allow(dead_code)]
mod floor;
mod unpacked;

use std::cell::Cell;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use docker::{DOCKERD, Daemon};
use rooms::cni::Cni;
use rooms::docker::Docker;
use rooms::growth;
use rooms::library::{Library, Records};
use rooms::netavark::Netavark;
use rooms::pod::{Form, Machine, Ports};
use rooms::program::example;
use rooms::raw::{Raw, Start};
use rooms::rounds::{Act, Effort, measure};
use rooms::seat::Seat;
use rooms::starts;
use rooms::subject::{Column, Names, Outcome, Subject};
use rooms::table::Figures;
use unpacked::{peer, peers_with};

/// Behind all that exists.
const FIRST_PORT: u16 = 20_000;

fn main() -> ExitCode {
    if let Err(error) = bridgework::sandbox::enter() {
        eprintln!("NOT MEASURED: {error}");
        return ExitCode::FAILURE;
    }
    // a container holds a descriptor, and so does a port
    let _as_it_was = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    let words: Vec<String> = std::env::args().skip(1).collect();
    let given = |word: &str| words.iter().any(|given| given == word);
    let named = |part: &str| given(part) || !PARTS.map(given).contains(&true);
    let mut columns = Column::ALL.to_vec();
    if columns.iter().any(|column| given(column.word())) {
        columns.retain(|column| given(column.word()));
    }
    let effort = effort(given("--bench"));
    if named("acts") {
        acts(&columns, effort);
    }
    if named("starts") && columns.contains(&Column::Docker) {
        if let Err(why) = starts(effort) {
            println!("NOT MEASURED: Docker's starts: {why}");
        }
    }
    if named("growth") {
        columns.retain(|column| GROWING.contains(column));
        let seats = columns
            .iter()
            .map(|column| seat(*column, Names::Silent, ("growth", effort)));
        growth::measure(seats.collect(), effort.growth, effort.growth_max);
    }
    ExitCode::SUCCESS
}

/// New links announce themselves, and those that go keep the kernel busy, too.
const LULL: Duration = Duration::from_secs(3);

const PARTS: [&str; 3] = ["acts", "starts", "growth"];

/// Who is measured together among others: whoever is compared.
const GROUPS: [&[(Column, Names)]; 4] = [
    &[
        (Column::Floor, Names::Silent),
        (Column::Started, Names::Silent),
        (Column::Library, Names::Silent),
        (Column::Kept, Names::Silent),
        (Column::Docker, Names::Silent),
    ],
    &[
        (Column::Floor, Names::Silent),
        (Column::Netavark, Names::Silent),
        (Column::Netavark1, Names::Silent),
        (Column::Netavark2, Names::Silent),
    ],
    &[
        (Column::Floor, Names::Silent),
        (Column::Cni, Names::Silent),
        (Column::CniPeer, Names::Silent),
    ],
    &[
        (Column::Kept, Names::Answered),
        (Column::Docker, Names::Answered),
        (Column::Netavark, Names::Answered),
        (Column::Netavark1, Names::Answered),
        (Column::Netavark2, Names::Answered),
    ],
];

/// Who is asked for more and more containers.
const GROWING: [Column; 6] = [
    Column::Floor,
    Column::Kept,
    Column::Netavark,
    Column::Netavark1,
    Column::Netavark2,
    Column::Cni,
];

fn effort(is_bench: bool) -> Effort {
    let size = |name: &str, full: u16, smoke: u16| {
        let given = std::env::var(name).ok().and_then(|text| text.parse().ok());
        given.unwrap_or(if is_bench { full } else { smoke })
    };
    let seconds = |name, full| Duration::from_secs(u64::from(size(name, full, 30)));
    Effort {
        rounds: usize::from(size("ADAPTERS_ROUNDS", 11, 1)),
        existing: size("ADAPTERS_EXISTING", 200, 2),
        act_max: seconds("ADAPTERS_ACT_MAX_S", 1),
        fill_max: seconds("ADAPTERS_FILL_MAX_S", 14),
        call_max: seconds("ADAPTERS_CALL_MAX_S", 10),
        many: if is_bench { [100, 1_000] } else { [2, 3] },
        growth: size("ADAPTERS_GROWTH", 120, 3),
        growth_max: seconds("ADAPTERS_GROWTH_MAX_S", 25),
    }
}

/// Every act on empty hosts, by all; then on hosts with others, by one group after the other: what the
/// kernel needs for an attach grows with all the namespaces of a machine.
fn acts(columns: &[Column], effort: Effort) {
    let mut figures = Figures::default();
    let begun = Instant::now();
    let chosen = |(column, _): &&(Column, Names)| columns.contains(column);
    let all = Column::ALL.map(|column| (column, Names::Silent));
    let all: Vec<_> = all
        .iter()
        .chain(GROUPS[3])
        .filter(chosen)
        .copied()
        .collect();
    half(&all, 0, &mut figures, effort);
    println!("without others: {:.0} s", begun.elapsed().as_secs_f64());
    for group in GROUPS {
        let group: Vec<_> = group.iter().filter(chosen).copied().collect();
        if group.iter().any(|(column, _)| *column != Column::Floor) {
            half(&group, effort.existing, &mut figures, effort);
            println!(
                "{group:?} among others: {:.0} s",
                begun.elapsed().as_secs_f64()
            );
        }
    }
    figures.print(effort.existing);
    figures.print_markdown(effort.existing);
}

/// All acts of some, on hosts of their own, each with so many others.
fn half(some: &[(Column, Names)], existing: u16, figures: &mut Figures, effort: Effort) {
    let part = if existing > 0 { "others" } else { "alone" };
    let seats = some
        .iter()
        .map(|(column, names)| seat(*column, *names, (part, effort)));
    let mut seats: Vec<Seat> = seats.collect();
    fill(&mut seats, existing, effort.fill_max);
    let mut measured = |(count, form), names| {
        let ports = Ports {
            first: FIRST_PORT,
            count,
            form,
        };
        let act = Act {
            ports,
            names,
            is_among_others: existing > 0,
        };
        measure(&mut seats, act, figures, effort);
    };
    for names in [Names::Silent, Names::Answered] {
        for count in [0, 1] {
            measured((count, Form::Mappings), names);
        }
    }
    for form in [Form::Range, Form::Mappings] {
        for count in effort.many {
            measured((count, form), Names::Silent);
        }
    }
    drop(seats);
    thread::sleep(LULL);
}

/// Ours and the peers at the same time: nothing is measured.
fn fill(seats: &mut [Seat], existing: u16, fill_max: Duration) {
    let (peers, ours): (Vec<_>, Vec<_>) = seats
        .iter_mut()
        .partition(|seat| seat.column.ours().is_some());
    thread::scope(|scope| {
        for some in [peers, ours] {
            let each = move |seat: &mut Seat| seat.fill(existing, fill_max);
            scope.spawn(move || some.into_iter().for_each(each));
        }
    });
    if existing > 0 {
        thread::sleep(LULL);
    }
}

fn starts(effort: Effort) -> Outcome<()> {
    let peers = peers_with(DOCKERD)?;
    let machine = Machine::make("starts")?;
    let daemon = Daemon::start(&peers, &machine.state, effort.call_max)?;
    starts::measure(&daemon, effort)
}

/// Whoever is asked for, each time on a host of its own.
fn seat(column: Column, names: Names, (part, effort): (&'static str, Effort)) -> Seat {
    let made = Cell::new(0);
    let make = move || {
        made.set(made.get() + 1);
        let place = format!("{part}-{column:?}-{names:?}-{}", made.get());
        subject(column, names, (&place, effort.call_max))
    };
    Seat::new(column, names, Box::new(make))
}

fn subject(
    column: Column,
    names: Names,
    (place, call_max): (&str, Duration),
) -> Outcome<Box<dyn Subject>> {
    let host = (Machine::make(place)?, call_max);
    let model = || Machine::make(&format!("{place}-model"));
    Ok(match column {
        Column::Floor => Box::new(Raw::new(Start::Nothing, model()?, host)?),
        Column::Started => Box::new(Raw::new(Start::Process, model()?, host)?),
        Column::Library => Box::new(Library::new(Records::None, names, host.0)?),
        Column::Kept => Box::new(Library::new(Records::Kept, names, host.0)?),
        Column::Docker => Box::new(Docker::new(&peers_with(DOCKERD)?, names, host)?),
        Column::Netavark => Box::new(Netavark::new(example("netavark")?, None, names, host)?),
        Column::Netavark1 => peers_netavark("usr/lib/podman", names, host)?,
        Column::Netavark2 => peers_netavark("bin", names, host)?,
        Column::Cni => Box::new(Cni::ours(example("cni")?, host)),
        Column::CniPeer => Box::new(Cni::reference(peer("usr/lib/cni")?, host)),
    })
}

/// The peer's with its server of names.
fn peers_netavark(
    folder: &str,
    names: Names,
    host: (Machine, Duration),
) -> Outcome<Box<dyn Subject>> {
    let aardvark = peer(&format!("{folder}/aardvark-dns"))?;
    let program = peer(&format!("{folder}/netavark"))?;
    Ok(Box::new(Netavark::new(
        program,
        Some(aardvark),
        names,
        host,
    )?))
}
