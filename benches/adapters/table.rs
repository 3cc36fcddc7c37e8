//! What was measured, and how it is printed: every figure beside the floor, and the table.

use std::collections::BTreeMap;
use std::time::Duration;

use super::pod::Form;
use super::subject::{Column, Names};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Attach,
    Detach,
}

/// One act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub is_among_others: bool,
    pub names: Names,
    pub count: u16,
    pub form: Form,
    pub verb: Verb,
}

impl Row {
    fn label(self) -> String {
        let verb = match self.verb {
            Verb::Attach => "attach",
            Verb::Detach => "detach",
        };
        let ports = match (self.count, self.form) {
            (0, _) => "no port".to_owned(),
            (1, _) => "1 port".to_owned(),
            (count, Form::Range) => format!("a range of {count} ports"),
            (count, Form::Mappings) => format!("{count} mappings"),
        };
        let names = match self.names {
            Names::Silent => "",
            Names::Answered => ", names answered",
        };
        format!("{verb}, {ports}{names}")
    }
}

/// What one subject took for one act, in milliseconds, or why that is not known.
#[derive(Default)]
struct Cell {
    times_ms: Vec<f64>,
    why: Option<String>,
}

#[derive(Default)]
pub struct Figures(BTreeMap<(Row, Column), Cell>);

impl Figures {
    pub fn note(&mut self, row: Row, column: Column, took: Duration) {
        let cell = self.0.entry((row, column)).or_default();
        cell.times_ms.push(took.as_secs_f64() * 1e3);
    }

    /// The first reason counts.
    pub fn explain(&mut self, row: Row, column: Column, why: &str) {
        let cell = self.0.entry((row, column)).or_default();
        if cell.why.is_none() && cell.times_ms.is_empty() {
            cell.why = Some(why.to_owned());
        }
    }

    /// Why there is nothing.
    pub fn why(&self, row: Row, column: Column) -> Option<&str> {
        self.0.get(&(row, column))?.why.as_deref()
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.0.keys().map(|(row, _)| *row).collect();
        rows.dedup();
        rows
    }

    fn median_ms(&self, row: Row, column: Column) -> Option<f64> {
        median(&self.0.get(&(row, column))?.times_ms)
    }

    /// All of it: median, least, how often, and how many times the floor.
    pub fn print(&self, existing: u16) {
        for row in self.rows() {
            println!("\n{}, {} existing (ms)", row.label(), of(row, existing));
            let floor = self.median_ms(row, Column::Floor);
            for column in Column::ALL {
                let Some(cell) = self.0.get(&(row, column)) else {
                    continue;
                };
                let heading = column.heading().replace('`', "");
                match median(&cell.times_ms) {
                    Some(middle) => {
                        let least = cell.times_ms.iter().copied().fold(f64::MAX, f64::min);
                        let rounds = cell.times_ms.len();
                        let times = floor.map(|floor| format!("{:>7.1} x floor", middle / floor));
                        println!(
                            "  {heading:<24} {middle:>9.2}  least {least:>9.2}  of {rounds:>3}  \
                             {}",
                            times.unwrap_or_default()
                        );
                    }
                    None => println!(
                        "  {heading:<24} NOT MEASURED: {}",
                        cell.why.as_deref().unwrap_or("")
                    ),
                }
            }
        }
    }

    /// Medians, with the least below each.
    pub fn print_markdown(&self, existing: u16) {
        let headings = Column::ALL.map(|column| match column {
            column if column.ours().is_some() => format!("{} | times ours", column.heading()),
            column => column.heading().to_owned(),
        });
        let peers = Column::ALL.iter().filter(|column| column.ours().is_some());
        let peers = peers.count();
        println!(
            "\n| ms, median (least) | existing | {} |",
            headings.join(" | ")
        );
        println!("|---|---|{}", "---|".repeat(headings.len() + peers));
        for row in self.rows() {
            let cells = Column::ALL.map(|column| self.markdown_cell(row, column));
            let (label, existing) = (row.label(), of(row, existing));
            println!("| {label} | {existing} | {} |", cells.join(" | "));
        }
    }

    fn markdown_cell(&self, row: Row, column: Column) -> String {
        let ours = column.ours();
        let Some(cell) = self.0.get(&(row, column)) else {
            return ours.map_or("", |_| " | ").to_owned();
        };
        let text = match median(&cell.times_ms) {
            Some(middle) => {
                let least = cell.times_ms.iter().copied().fold(f64::MAX, f64::min);
                format!("{} ({})", short(middle), short(least))
            }
            None => cell.why.clone().unwrap_or_default(),
        };
        let Some(ours) = ours else { return text };
        let times = self.median_ms(row, column).zip(self.median_ms(row, ours));
        let times = times.map_or(String::new(), |(peer, ours)| short(peer / ours));
        format!("{text} | {times}")
    }
}

fn of(row: Row, existing: u16) -> u16 {
    if row.is_among_others { existing } else { 0 }
}

/// Of an even number, the mean of the two in the middle.
pub fn median(times_ms: &[f64]) -> Option<f64> {
    let mut sorted = times_ms.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = sorted.get((sorted.len() - 1) / 2)?;
    Some((upper + lower) / 2.0)
}

/// Two or three digits that say something.
pub fn short(number: f64) -> String {
    match number {
        number if number < 10.0 => format!("{number:.2}"),
        number if number < 100.0 => format!("{number:.1}"),
        number => format!("{number:.0}"),
    }
}
