//! The files below `src`, with comments, literals and tests blanked, so that what is found in them
//! is code. Blanks keep every line where it was.

use std::fs;
use std::path::Path;

/// One file of the library.
pub(crate) struct Source {
    /// Below `src`, as in `plan/step.rs`.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
    /// Without comments and literals, and without what is compiled for tests alone.
    pub(crate) code: String,
}

impl Source {
    /// Every file of the library, by path.
    pub(crate) fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        read_below(&root, &root, &mut files);
        files.sort();
        assert!(!files.is_empty(), "{} has no source", root.display());
        Self::tree(files)
    }

    /// These files, each a path below `src` and a text.
    pub(crate) fn tree(files: Vec<(String, String)>) -> Vec<Self> {
        let mut sources: Vec<Self> = files
            .into_iter()
            .map(|(path, text)| Self {
                code: without_tests(&without_comments_and_literals(&text)),
                path,
                text,
            })
            .collect();
        let tests: Vec<String> = sources.iter().flat_map(Self::test_modules).collect();
        for source in &mut sources {
            if tests.iter().any(|test| is_within(&source.module(), test)) {
                source.code = blank(&source.code);
            }
        }
        sources
    }

    /// The module that the file is: `plan` for `plan/mod.rs`, `plan/step` for `plan/step.rs`.
    pub(crate) fn module(&self) -> String {
        let path = self.path.strip_suffix(".rs").unwrap_or(&self.path);
        path.strip_suffix("/mod").unwrap_or(path).to_owned()
    }

    /// The modules that are compiled for tests alone and have files of their own.
    fn test_modules(&self) -> Vec<String> {
        let code = without_comments_and_literals(&self.text);
        let declared = code.split("#[cfg(test)]").skip(1).filter_map(|rest| {
            let rest = rest.trim_start();
            let declaration = rest.strip_prefix("pub(crate) ").unwrap_or(rest);
            let (name, _) = declaration.strip_prefix("mod ")?.split_once(';')?;
            let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_');
            is_name.then(|| name.to_owned())
        });
        match self.module().as_str() {
            "lib" => declared.collect(),
            module => declared.map(|name| format!("{module}/{name}")).collect(),
        }
    }

    /// Every identifier and keyword of the code with the number of its line and its place.
    pub(crate) fn identifiers(&self) -> Vec<Identifier<'_>> {
        let mut found = Vec::new();
        let mut rest = 0;
        let part = |c: char| c.is_alphanumeric() || c == '_';
        while let Some(start) = self.code[rest..].find(part).map(|at| rest + at) {
            let tail = &self.code[start..];
            let len = tail.find(|c| !part(c)).unwrap_or(tail.len());
            found.push(Identifier {
                name: &tail[..len],
                line: self.line_at(start),
                start,
            });
            rest = start + len;
        }
        found.retain(|identifier| !identifier.name.starts_with(|c: char| c.is_ascii_digit()));
        found
    }

    /// The number of the line at `position` of the code.
    pub(crate) fn line_at(&self, position: usize) -> usize {
        self.code[..position].matches('\n').count() + 1
    }

    /// `complaint` with the place that it is about.
    pub(crate) fn at(&self, line: usize, complaint: &str) -> String {
        format!("src/{}:{line}: {complaint}", self.path)
    }

    /// Each place where `phrase` stands in the code and is not a part of longer words.
    pub(crate) fn places_of(&self, phrase: &str) -> Vec<usize> {
        let found = self.code.match_indices(phrase);
        let whole = found.filter(|&(start, _)| is_whole(&self.code, start, phrase));
        whole.map(|(start, _)| start).collect()
    }
}

/// A word of the code.
pub(crate) struct Identifier<'a> {
    pub(crate) name: &'a str,
    pub(crate) line: usize,
    pub(crate) start: usize,
}

/// Whether the word boundaries of `phrase` at `start` are those of `text`.
pub(crate) fn is_whole(text: &str, start: usize, phrase: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let before = text[..start].chars().next_back().is_some_and(part);
    let after = text[start + phrase.len()..]
        .chars()
        .next()
        .is_some_and(part);
    let cut = before && phrase.starts_with(part) || after && phrase.ends_with(part);
    !cut
}

/// Whether `module` is `other` or a part of it.
pub(crate) fn is_within(module: &str, other: &str) -> bool {
    module
        .strip_prefix(other)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The position after the brace that closes the one at `open`.
pub(crate) fn closing_brace(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

fn read_below(root: &Path, directory: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).expect("the source tree can be read") {
        let path = entry.expect("the source tree can be read").path();
        if path.is_dir() {
            read_below(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).expect("it is below the root");
            let text = fs::read_to_string(&path).expect("source files are text");
            files.push((name.display().to_string(), text));
        }
    }
}

fn blank(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\n' { '\n' } else { ' ' })
        .collect()
}

pub(crate) fn without_comments_and_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let after_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let skipped = skipped_len(rest, after_word);
        let len = if skipped > 0 {
            skipped
        } else {
            first_len(rest)
        };
        match skipped {
            0 => code.push_str(&rest[..len]),
            _ => code.push_str(&blank(&rest[..len])),
        }
        rest = &rest[len..];
    }
    code
}

fn first_len(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// The length of the comment or literal that `text` begins with, or 0.
fn skipped_len(text: &str, after_word: bool) -> usize {
    let upto = |end: Option<usize>| end.unwrap_or(text.len());
    if text.starts_with("//") {
        return upto(text.find('\n'));
    }
    if text.starts_with("/*") {
        return comment_len(text);
    }
    if let Some(quoted) = text.strip_prefix('"') {
        return upto(quoted_len(quoted, '"').map(|len| 1 + len));
    }
    if !after_word && text.starts_with(['r', 'b', 'c']) {
        return raw_len(text);
    }
    if text.starts_with('\'') {
        return character_len(text);
    }
    0
}

fn comment_len(text: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < text.len() {
        let tail = &text.as_bytes()[at..];
        if tail.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The length up to and with the first `end` that no backslash stands before.
fn quoted_len(text: &str, end: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == end => return Some(at + c.len_utf8()),
            _ => {}
        }
    }
    None
}

fn raw_len(text: &str) -> usize {
    let Some(tail) = ["br", "cr", "r"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
    else {
        return 0;
    };
    let hashes = tail.bytes().take_while(|b| *b == b'#').count();
    if tail.as_bytes().get(hashes) != Some(&b'"') {
        return 0;
    }
    let start = text.len() - tail.len() + hashes + 1;
    let end = format!("\"{}", "#".repeat(hashes));
    text[start..]
        .find(&end)
        .map_or(text.len(), |at| start + at + end.len())
}

/// The length of a character literal; 0 for a lifetime.
fn character_len(text: &str) -> usize {
    let inside = &text[1..];
    if inside.starts_with('\\') {
        return 1 + quoted_len(inside, '\'').unwrap_or(0);
    }
    let first = first_len(inside);
    match inside[first..].starts_with('\'') {
        true => first + 2,
        false => 0,
    }
}

fn without_tests(code: &str) -> String {
    const MARKS: [&str; 3] = ["#[cfg(test)]", "#[cfg(all(test", "#[test]"];
    let mut shipped = code.to_owned();
    while let Some(start) = MARKS.iter().filter_map(|mark| shipped.find(mark)).min() {
        let after = start + shipped[start..].find(']').map_or(1, |at| at + 1);
        let end = match shipped[after..].find(['{', ';']).map(|at| after + at) {
            Some(open) if shipped[open..].starts_with('{') => closing_brace(&shipped, open),
            Some(semicolon) => semicolon + 1,
            None => shipped.len(),
        };
        shipped.replace_range(start..end, &blank(&shipped[start..end]));
    }
    shipped
}
