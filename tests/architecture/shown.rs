//! What examples show: every public method is used in one that is on the page of its type, where a
//! reader looks for it.

use std::collections::{BTreeMap, BTreeSet};

use crate::layers::re_exports;
use crate::source::{Source, is_whole, without_comments_and_literals};

/// The words that may stand before `fn`.
const QUALIFIERS: [&str; 4] = ["const ", "async ", "unsafe ", "extern \"C\" "];

/// A type or trait: the module that declares it, and its name.
type Home = (String, String);

/// What stands on the page of one type or trait.
#[derive(Default)]
struct Page {
    is_trait: bool,
    /// The code of all examples on it.
    examples: String,
    /// The place and the name of each public method.
    methods: Vec<(String, String)>,
}

/// Public methods that no example on their type's page uses.
pub(crate) fn methods_without_example(sources: &[Source]) -> Vec<String> {
    let public = public_homes(sources);
    let mut pages: BTreeMap<Home, Page> = BTreeMap::new();
    for item in sources.iter().flat_map(items) {
        let Some((home, shown_in)) = home_of(&item, &public) else {
            continue;
        };
        let page = pages.entry(home.clone()).or_insert_with(|| Page {
            examples: module_examples(sources, shown_in),
            ..Page::default()
        });
        page.is_trait |= item.head == Head::Trait;
        item.add_to(page);
    }
    let each = pages.iter().flat_map(|((_, name), page)| {
        let missing = page
            .methods
            .iter()
            .filter(|(_, method)| !page.uses(name, method));
        missing.map(move |(place, method)| {
            format!("{place}: no example on the page of {name} calls {method}; extend one")
        })
    });
    each.collect()
}

impl Page {
    /// Whether an example calls the method, names it by its path, or writes it for a trait. What a value is
    /// that a method is called of, the text does not say: any will do.
    fn uses(&self, name: &str, method: &str) -> bool {
        let found = self.examples.match_indices(method);
        let mut whole = found.filter(|&(start, _)| is_whole(&self.examples, start, method));
        whole.any(|(start, _)| {
            let before = self.examples[..start].trim_end();
            let after = self.examples[start + method.len()..].trim_start();
            let is_call = after.starts_with('(') || after.starts_with("::<");
            let is_own = |path: &str| {
                let at = path.len().checked_sub(name.len());
                path.ends_with(name) && at.is_some_and(|at| is_whole(path, at, name))
            };
            before.strip_suffix("::").is_some_and(is_own)
                || is_call && before.ends_with('.')
                || is_call && self.is_trait && before.ends_with("fn")
        })
    }
}

/// Every type and trait that users can name, with the modules in whose lists they find it.
fn public_homes(sources: &[Source]) -> BTreeMap<Home, BTreeSet<String>> {
    let mut homes: BTreeMap<Home, BTreeSet<String>> = BTreeMap::new();
    for source in sources.iter().filter(|source| is_public(source, sources)) {
        let module = source.module();
        let own = declared(source).map(|name| (module.clone(), name.to_owned()));
        let shown = re_exports(source)
            .into_iter()
            .filter_map(|path| resolve(&path, sources, 8));
        for home in own.chain(shown) {
            homes.entry(home).or_default().insert(module.clone());
        }
    }
    homes
}

/// Whether users can name the module: it and all that it is in are public.
fn is_public(source: &Source, sources: &[Source]) -> bool {
    let module = source.module();
    if module == "lib" {
        return true;
    }
    let (above, name) = module.rsplit_once('/').unwrap_or(("lib", &module));
    let above = sources.iter().find(|source| source.module() == above);
    above.is_some_and(|above| {
        let declaration = format!("pub mod {name}");
        !above.places_of(&declaration).is_empty() && is_public(above, sources)
    })
}

/// The names of the public types and traits that the file declares itself.
fn declared(source: &Source) -> impl Iterator<Item = &str> {
    let lines = source.code.lines();
    lines.filter_map(|line| match Head::of(line)? {
        (Head::Type | Head::Trait, name) => Some(name),
        (Head::Impl, _) => None,
    })
}

/// Where what a `use` names is declared; `None` for what is neither type nor trait. `most` bounds the
/// number of modules that hand it on.
fn resolve(path: &[String], sources: &[Source], most: usize) -> Option<Home> {
    let (name, module) = path.split_last()?;
    let module = module.join("/");
    let source = sources.iter().find(|source| source.module() == module)?;
    if declared(source).any(|declared| declared == name) {
        return Some((module, name.clone()));
    }
    let most = most.checked_sub(1)?;
    let mut handed_on = re_exports(source).into_iter();
    let next = handed_on.find(|path| path.last() == Some(name))?;
    resolve(&next, sources, most)
}

/// The public type that an item is of: of several with its name, the one that is declared nearest.
fn home_of<'a>(
    item: &Item,
    public: &'a BTreeMap<Home, BTreeSet<String>>,
) -> Option<(&'a Home, &'a BTreeSet<String>)> {
    let module = item.source.module();
    let shared = |home: &Home| {
        let parts = home.0.split('/').zip(module.split('/'));
        parts.take_while(|(one, other)| one == other).count()
    };
    let is_declaration = item.head != Head::Impl;
    let named = public.iter().filter(|(home, _)| home.1 == item.name);
    let near = named.filter(|(home, _)| match is_declaration {
        true => home.0 == module,
        false => shared(home) > 0,
    });
    near.max_by_key(|(home, _)| shared(home))
}

/// The examples of the modules in whose lists a type stands.
fn module_examples(sources: &[Source], modules: &BTreeSet<String>) -> String {
    let shown = sources
        .iter()
        .filter(|source| modules.contains(&source.module()));
    let docs = shown.flat_map(|source| source.text.lines().filter_map(|l| l.strip_prefix("//!")));
    examples(docs)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    Type,
    Trait,
    /// Of the type's own: not of a trait.
    Impl,
}

impl Head {
    /// What a line at the margin begins, and the name of its type.
    fn of(line: &str) -> Option<(Self, &str)> {
        let types = ["pub struct ", "pub enum ", "pub union "];
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let first = |rest: &'_ str| rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        if let Some(rest) = types.iter().find_map(|head| line.strip_prefix(head)) {
            return Some((Self::Type, &rest[..first(rest)]));
        }
        if let Some(rest) = line.strip_prefix("pub trait ") {
            return Some((Self::Trait, &rest[..first(rest)]));
        }
        let rest = line.strip_prefix("impl")?;
        let rest = match rest.strip_prefix('<') {
            Some(parameters) => parameters.split_once("> ")?.1,
            None => rest.strip_prefix(' ')?,
        };
        if rest.contains(" for ") {
            return None;
        }
        let path = &rest[..rest.find(['<', ' ', '{']).unwrap_or(rest.len())];
        Some((Self::Impl, path.rsplit("::").next().unwrap_or(path)))
    }
}

/// A declaration or an `impl`, as rustfmt writes it: from a line at the margin to the next brace there.
struct Item<'a> {
    source: &'a Source,
    head: Head,
    name: &'a str,
    /// The first line and that behind the last, from 0.
    lines: std::ops::Range<usize>,
}

fn items(source: &Source) -> Vec<Item<'_>> {
    let code: Vec<&str> = source.code.lines().collect();
    let heads = code.iter().enumerate();
    let found = heads.filter_map(|(first, line)| {
        let (head, name) = Head::of(line)?;
        let is_open = line.trim_end().ends_with('{') || !line.contains(['{', ';']);
        let len = code[first..].iter().position(|line| line.starts_with('}'));
        let last = len.filter(|_| is_open).map_or(first, |len| first + len);
        let lines = first..last + 1;
        Some(Item {
            source,
            head,
            name,
            lines,
        })
    });
    found.collect()
}

impl Item<'_> {
    /// Its examples, and the methods that it declares.
    fn add_to(&self, page: &mut Page) {
        let code: Vec<&str> = self.source.code.lines().collect();
        let text: Vec<&str> = self.source.text.lines().collect();
        let above = above(&code, &text, self.lines.start);
        page.examples
            .push_str(&doc_examples(&text[above..self.lines.start]));
        for at in self.lines.clone() {
            let Some(method) = self.method(code[at]) else {
                continue;
            };
            let docs = &text[self::above(&code, &text, at)..at];
            if docs.iter().any(|line| line.contains("#[doc(hidden)]")) {
                continue;
            }
            page.examples.push_str(&doc_examples(docs));
            let place = format!("src/{}:{}", self.source.path, at + 1);
            page.methods.push((place, method.to_owned()));
        }
    }

    /// The name of the public method that the line declares.
    fn method<'a>(&self, line: &'a str) -> Option<&'a str> {
        let declared = line.strip_prefix("    ")?;
        let mut rest = match self.head {
            Head::Type => return None,
            Head::Trait => declared,
            Head::Impl => declared.strip_prefix("pub ")?,
        };
        while let Some(tail) = QUALIFIERS.iter().find_map(|word| rest.strip_prefix(word)) {
            rest = tail;
        }
        let name = rest.strip_prefix("fn ")?;
        Some(&name[..name.find(['(', '<'])?])
    }
}

/// Where the documentation and the attributes of what begins at line `at` begin.
fn above(code: &[&str], text: &[&str], at: usize) -> usize {
    let is_other = |&line: &usize| {
        text[line].trim().is_empty() || code[line].trim_end().ends_with(['{', '}', ';'])
    };
    (0..at).rev().find(is_other).map_or(0, |line| line + 1)
}

fn doc_examples(lines: &[&str]) -> String {
    examples(lines.iter().filter_map(|l| l.trim().strip_prefix("///")))
}

/// The code of the blocks that are compiled, without comments and literals.
fn examples<'a>(docs: impl Iterator<Item = &'a str>) -> String {
    let mut code = String::new();
    let mut is_rust = None;
    for line in docs {
        match (line.trim().strip_prefix("```"), is_rust) {
            (Some(_), Some(_)) => is_rust = None,
            (Some(language), None) => {
                let foreign = ["text", "sh", "json", "toml", "console", "ignore"];
                is_rust = Some(!foreign.contains(&language));
            }
            (None, Some(true)) => {
                code.push_str(line.trim_start().trim_start_matches("# "));
                code.push('\n');
            }
            (None, _) => {}
        }
    }
    without_comments_and_literals(&code)
}
