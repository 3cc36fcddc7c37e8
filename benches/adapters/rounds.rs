//! Rounds of one act by all who are measured, one after the other, each time beginning with another.

use std::thread;
use std::time::{Duration, Instant};

use super::pod::Ports;
use super::seat::Seat;
use super::subject::Names;
use super::table::{Figures, Row, Verb};

/// What the kernel still has to do for the act before is done by then.
pub const REST: Duration = Duration::from_millis(20);

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    pub rounds: usize,
    /// Containers that are there already, in the second half.
    pub existing: u16,
    /// After so long nobody begins another round of one act; with one port or none, after twice that.
    pub act_max: Duration,
    /// What one subject may take to get its existing containers.
    pub fill_max: Duration,
    /// What one call may take.
    pub call_max: Duration,
    /// How many ports are published, besides one.
    pub many: [u16; 2],
    /// Containers of the growth test, and what one subject may take for them.
    pub growth: u16,
    pub growth_max: Duration,
}

/// What is done in each round.
#[derive(Debug, Clone, Copy)]
pub struct Act {
    pub ports: Ports,
    pub names: Names,
    /// Whether other containers are there.
    pub is_among_others: bool,
}

impl Act {
    pub fn row(self, verb: Verb) -> Row {
        Row {
            is_among_others: self.is_among_others,
            names: self.names,
            count: self.ports.count,
            form: self.ports.form,
            verb,
        }
    }
}

/// Rounds of all who can do this.
pub fn measure(seats: &mut [Seat], act: Act, figures: &mut Figures, effort: Effort) {
    let act_max = effort.act_max * if act.ports.count <= 1 { 2 } else { 1 };
    let mut spent = vec![Duration::ZERO; seats.len()];
    for round in 0..effort.rounds {
        for step in 0..seats.len() {
            let turn = (round + step) % seats.len();
            if spent[turn] < act_max && seats[turn].can(act) {
                let start = Instant::now();
                if !turn_of(&mut seats[turn], act, figures) {
                    spent[turn] = Duration::MAX;
                    continue;
                }
                spent[turn] += start.elapsed();
            }
        }
    }
}

/// Whether another round makes sense.
fn turn_of(seat: &mut Seat, act: Act, figures: &mut Figures) -> bool {
    let rows = [Verb::Attach, Verb::Detach].map(|verb| act.row(verb));
    let alone = Row {
        is_among_others: false,
        ..rows[0]
    };
    let done = match figures.why(alone, seat.column) {
        Some(why) if act.is_among_others => Err(why.to_owned()),
        _ if act.is_among_others && seat.is_alone() => Err("not after that".to_owned()),
        _ => seat.round(act.ports, REST),
    };
    let why = match done {
        Ok(times) => {
            for (row, time) in rows.into_iter().zip(times) {
                figures.note(row, seat.column, time);
            }
            return true;
        }
        Err(why) => why,
    };
    for row in rows {
        figures.explain(row, seat.column, &why);
    }
    thread::sleep(REST);
    false
}
