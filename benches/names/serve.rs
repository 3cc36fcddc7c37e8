//! All servers, asked the same questions by the same client, in rounds that alternate.

use std::thread;
use std::time::Duration;

use super::ground::{Ground, Scratch, descriptors_for, ours};
use super::table::print_rows;
use crate::Effort;
use crate::asking::Client;
use crate::peers::{self, Peer};

const MANY_SHARE: f64 = 0.95;

/// What one server has done in all rounds.
pub struct Row {
    pub peer: Peer,
    client: Client,
    pub times: Vec<Duration>,
    pub rates: Vec<f64>,
}

impl Row {
    fn new(ground: &Ground, peer: Peer) -> Self {
        Self {
            client: Client::new(&peer.netns, peer.at, &ground.asked_for()),
            times: Vec::new(),
            rates: Vec::new(),
            peer,
        }
    }
}

/// By all that are there, in our containers' namespaces and in Docker's.
pub fn serve(effort: Effort, (containers, names): (usize, usize)) {
    if !descriptors_for(containers) {
        return;
    }
    let scratch = Scratch::make(&format!("{containers}-{names}"));
    let ground = Ground::make(containers, names);
    let netns = ground.containers[0].netns();
    let mut all = vec![peers::echo(netns, "echo"), peers::ours(netns)];
    all.extend(peers::all(netns, &scratch.0, &ground.names));
    let mut rows: Vec<Row> = all
        .into_iter()
        .map(|peer| Row::new(&ground, peer))
        .collect();
    rows.retain_mut(|row| row.peer.is_echo() || knows_all(row, ground.names.len()));
    thread::sleep(effort.lull);
    for _ in 0..effort.rounds {
        for row in &mut rows {
            row.client.one_by_one(effort.questions / 10);
            row.times.extend(row.client.one_by_one(effort.questions));
        }
        for row in &mut rows {
            row.rates.push(row.client.all_at_once(effort.time));
        }
    }
    print_rows(&rows, containers, ground.names.len());
}

/// Ours with few names and with many, asked as many different questions by turns.
pub fn grow(effort: Effort) {
    if !descriptors_for(effort.few.0 + effort.many.0) {
        return;
    }
    let grounds = [effort.few, effort.many].map(|(containers, names)| {
        let ground = Ground::make(containers, names);
        let asked_for = ground.asked_for().into_iter().cycle();
        let asked_for: Vec<String> = asked_for.take(effort.many.1).collect();
        let client = Client::new(ground.containers[0].netns(), ours(), &asked_for);
        (client, ground)
    });
    let [(mut few, _few), (mut many, _many)] = grounds;
    let mut shares: Vec<f64> = (0..effort.rounds)
        .map(|_| {
            let rate = few.all_at_once(effort.time);
            let share = many.all_at_once(effort.time) / rate;
            // who comes first in a round makes no difference
            let rate = many.all_at_once(effort.time);
            (share + rate / few.all_at_once(effort.time)) / 2.0
        })
        .collect();
    shares.sort_by(f64::total_cmp);
    let share = shares[shares.len() / 2];
    println!("64 at once, with many names / with few: {share:.2}  (target >= {MANY_SHARE})");
}

fn knows_all(row: &mut Row, names: usize) -> bool {
    let known = row.client.known();
    if known != names {
        println!(
            "NOT MEASURED: {}: it knows {known} of {names} names",
            row.peer.label
        );
    }
    known == names
}
