//! How large files and functions may be, and how much is decided for each line that acts.

use crate::layers::{Layer, layer_of};
use crate::source::{Source, closing_brace, is_within};

const FILE_MAX_LINES: usize = 500;
const FILE_MEDIAN_LINES: usize = 200;
const FUNCTION_MAX_LINES: usize = 70;
const FUNCTION_MEDIAN_LINES: usize = 10;

/// The lines of levels 0 to 2 for each of level 3, in tenths.
const DECISIONS_PER_EFFECT_TENTHS: usize = 25;

/// What keeps records: it acts on its own files alone, whatever plans say, and is weighed by nobody.
const APART: &str = "store/sqlite";

/// The ratio says something once there are this many lines of `kernel`.
const KERNEL_MIN_LINES: usize = 500;

fn median(mut numbers: Vec<usize>) -> usize {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or(0)
}

/// Files longer than they may be.
pub(crate) fn long_files(sources: &[Source]) -> Vec<String> {
    let lines = |source: &Source| source.text.lines().count();
    let long = sources
        .iter()
        .filter(|source| lines(source) > FILE_MAX_LINES);
    let mut complaints: Vec<String> = long
        .map(|source| {
            source.at(
                lines(source),
                "the file is too long; which room is missing?",
            )
        })
        .collect();
    let median = median(sources.iter().map(lines).collect());
    println!("median file: {median} lines");
    if median > FILE_MEDIAN_LINES {
        complaints.push(format!("half of the files have more than {median} lines"));
    }
    complaints
}

/// Functions longer than they may be.
pub(crate) fn long_functions(sources: &[Source]) -> Vec<String> {
    let all: Vec<(String, usize)> = sources.iter().flat_map(functions).collect();
    let long = all.iter().filter(|(_, lines)| *lines > FUNCTION_MAX_LINES);
    let mut complaints: Vec<String> = long
        .map(|(place, lines)| format!("{place} has {lines} lines"))
        .collect();
    let median = median(all.iter().map(|(_, lines)| *lines).collect());
    println!("{} functions, median: {median} lines", all.len());
    if median > FUNCTION_MEDIAN_LINES {
        complaints.push(format!(
            "half of the functions have more than {median} lines"
        ));
    }
    complaints
}

/// Every function with a body, and its number of lines from `fn` to the last brace.
fn functions(source: &Source) -> Vec<(String, usize)> {
    let words = source.identifiers();
    let named = words.windows(2).filter(|pair| {
        let between = &source.code[pair[0].start + pair[0].name.len()..pair[1].start];
        pair[0].name == "fn" && between.trim().is_empty()
    });
    named
        .filter_map(|pair| {
            let open = body(&source.code, pair[1].start)?;
            let last = source.line_at(closing_brace(&source.code, open) - 1);
            let place = source.at(pair[0].line, pair[1].name);
            Some((place, last + 1 - pair[0].line))
        })
        .collect()
}

/// Where the body of the function declared at `start` opens; `None` if it has none.
fn body(code: &str, start: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Whether effects have too many lines for the decisions that they perform.
pub(crate) fn heavy_effects(sources: &[Source]) -> Vec<String> {
    // what is compiled for tests alone neither acts nor decides
    let all = weigh(sources, |source| match source.code.trim() {
        "" => 0,
        _ => source.text.lines().count(),
    });
    let code = weigh(sources, |source| {
        source
            .code
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count()
    });
    let kernel = sources
        .iter()
        .filter(|source| source.path.starts_with("kernel"));
    let kernel: usize = kernel.map(|source| source.text.lines().count()).sum();
    let (decisions, effects) = all;
    println!("decisions to effects: {decisions} to {effects} lines, {code:?} of code");
    let light = decisions * 10 >= effects * DECISIONS_PER_EFFECT_TENTHS;
    if light || kernel <= KERNEL_MIN_LINES {
        return vec![];
    }
    vec![format!(
        "{effects} lines act and only {decisions} decide: less than 2.5 to 1"
    )]
}

/// The lines of levels 0 to 2, and of level 3.
fn weigh(sources: &[Source], lines: impl Fn(&Source) -> usize) -> (usize, usize) {
    let of = |wanted: fn(Layer) -> bool| -> usize {
        let chosen = sources
            .iter()
            .filter(|source| !is_within(&source.module(), APART))
            .filter(|source| layer_of(source).is_some_and(wanted));
        chosen.map(&lines).sum()
    };
    (
        of(|layer| layer < Layer::Effects),
        of(|layer| layer == Layer::Effects),
    )
}
