//! What is another one in each run: ids, hardware addresses, numbers of links and processes, moments.
//! A text with words in their place is compared with another such text.

/// The text with the words `<id>`, `<short>`, `<mac>`, `<link>`, `<time>`, and single spaces.
pub fn normal(text: &str) -> String {
    let lines = text.trim_end().lines().map(normal_line);
    lines.collect::<Vec<_>>().join("\n")
}

fn normal_line(line: &str) -> String {
    let words: Vec<String> = split(line).into_iter().map(normal_word).collect();
    let line = words.concat();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    SPANS
        .iter()
        .fold(line, |line, ends| without_span(&line, ends))
}

/// What stands before and after `5 seconds`.
const SPANS: [(&str, &str); 3] = [("Up ", ""), ("Exited", ""), ("\" ", " ago")];

/// Runs of letters and digits and colons, and what stands between.
fn split(line: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '-' | '@');
    let mut parts = Vec::new();
    let mut begin = 0;
    let mut inside = None;
    for (at, c) in line.char_indices() {
        if inside != Some(is_part(c)) {
            parts.push(&line[begin..at]);
            (begin, inside) = (at, Some(is_part(c)));
        }
    }
    parts.push(&line[begin..]);
    parts
}

fn normal_word(word: &str) -> String {
    let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let (bare, colon) = match word.strip_suffix(':') {
        Some(bare) => (bare, ":"),
        None => (word, ""),
    };
    let pairs: Vec<&str> = bare.split(':').collect();
    let is_mac = pairs.len() == 6 && pairs.iter().all(|pair| pair.len() == 2 && hex(pair));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let place = match bare {
        _ if bare.len() == 64 && hex(bare) => "<id>",
        _ if bare.len() == 12 && hex(bare) => "<short>",
        _ if is_mac => "<mac>",
        _ if bare.starts_with("br-") && bare.len() == 15 => "br-<short>",
        _ if bare.starts_with("veth") && hex(&bare[4..]) && bare.len() == 11 => "<veth>",
        _ if bare.starts_with("20") && bare.ends_with('Z') && bare.contains('T') => "<time>",
        _ if digits(bare) && colon == ":" && bare.len() > 3 => "<link>",
        _ => match bare.split_once("@if") {
            Some((name, number)) if digits(number) => return format!("{name}@<link>{colon}"),
            _ => bare,
        },
    };
    format!("{place}{colon}")
}

/// A span of time behind `before`, up to `after` or the next column that is none.
fn without_span(line: &str, (before, after): &(&str, &str)) -> String {
    let units = ["second", "seconds", "minute", "minutes", "hour", "hours"];
    let Some((head, tail)) = line.split_once(before) else {
        return line.to_owned();
    };
    let words: Vec<&str> = tail.split(' ').collect();
    let Some(unit) = words.iter().take(6).position(|word| units.contains(word)) else {
        return line.to_owned();
    };
    let status = match tail.starts_with('(') || tail.starts_with(" (") {
        true => tail.split_inclusive(')').next().unwrap_or_default(),
        false => "",
    };
    let rest = words[unit + 1..].join(" ");
    let is_so = after.is_empty() || rest.starts_with(after.trim_start());
    match is_so {
        true => format!("{head}{before}{status}<time> {rest}")
            .trim_end()
            .to_owned(),
        false => line.to_owned(),
    }
}

#[test]
fn what_differs_from_run_to_run_is_a_word() {
    let id = "0123456789ab".repeat(5) + "0123";
    assert_eq!(normal(&id), "<id>");
    let ps = "0123456789ab   \"sleep 1d\"   2 seconds ago   Up Less than a second             web";
    assert_eq!(normal(ps), "<short> \"sleep 1d\" <time> ago Up <time> web");
    let ended = "0123456789ab   \"true\"   About a minute ago   Exited (0) 3 seconds ago   web";
    assert_eq!(
        normal(ended),
        "<short> \"true\" <time> ago Exited (0)<time> ago web"
    );
    let link = "19001648: eth0@if27793825: <UP> mtu 1500";
    assert_eq!(normal(link), "<link>: eth0@<link>: <UP> mtu 1500");
    let made = "  \"Created\": \"2026-11-21T16:29:10.884995674Z\",";
    assert_eq!(normal(made), "\"Created\": \"<time>\",");
    assert_eq!(normal("link/ether 22:1f:59:0f:28:dc"), "link/ether <mac>");
    assert_eq!(normal("172.17.0.2/16"), "172.17.0.2/16");
}
