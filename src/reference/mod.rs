//! The reference: what a user may write, told from what the code declares.
//!
//! Owns the topics ([`topics`]), how one is found ([`find`]) and their three forms ([`render`]). Kinds, options,
//! groupings, functions and operators come from the lists by which files are checked, so that they cannot go stale; only
//! the sentences around them are written here. Never knows a topology that runs.

mod language;
pub mod render;
#[cfg(test)]
mod tests;

use crate::component::{BoltFactory, Keyed, NestedOptions, OptionSpec, Registry, SpoutFactory};
use crate::config;
use crate::expr::{self, FunctionDoc, OperatorDoc};
use crate::problem::nearest;

/// What one can ask for.
#[derive(Clone, Debug, Default)]
pub struct Topic {
    /// The names by which it is found; the first is its own, unique among topics.
    pub names: Vec<String>,
    /// A heading.
    pub title: String,
    /// One sentence: what it is.
    pub doc: String,
    /// What else there is to know, a paragraph each.
    pub notes: Vec<String>,
    /// Tables of options, each with a heading.
    pub options: Vec<(String, Vec<OptionSpec>)>,
    /// Lists of operators and functions, each with a heading.
    pub calls: Vec<(String, Vec<Call>)>,
    /// A whole topology; empty: there is none.
    pub example: String,
}

/// An operator or a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// How it is written.
    pub form: String,
    /// What it gives.
    pub doc: String,
    /// A condition that is true; empty: there is none.
    pub example: String,
}

impl From<&FunctionDoc> for Call {
    fn from(function: &FunctionDoc) -> Call {
        Call { form: function.signature.to_owned(), doc: function.doc.to_owned(), example: String::new() }
    }
}

impl From<&OperatorDoc> for Call {
    fn from(operator: &OperatorDoc) -> Call {
        Call { form: operator.form.to_owned(), doc: operator.doc.to_owned(), example: operator.example.to_owned() }
    }
}

impl Topic {
    fn new(name: &str, title: &str, doc: &str) -> Topic {
        Topic { names: vec![name.to_owned()], title: title.to_owned(), doc: doc.to_owned(), ..Topic::default() }
    }

    fn named(mut self, names: &[&str]) -> Topic {
        self.names.extend(names.iter().map(|n| (*n).to_owned()));
        self
    }

    fn options(mut self, heading: &str, options: &[OptionSpec]) -> Topic {
        if !options.is_empty() {
            self.options.push((heading.to_owned(), options.to_vec()));
        }
        self
    }

    fn notes<T: Into<String>>(mut self, notes: impl IntoIterator<Item = T>) -> Topic {
        self.notes.extend(notes.into_iter().map(Into::into));
        self
    }

    fn example(mut self, example: &str) -> Topic {
        self.example = example.to_owned();
        self
    }

    fn is(&self, name: &str) -> bool {
        self.names.iter().any(|n| n.eq_ignore_ascii_case(name))
    }
}

/// All topics, in the order of the reference.
pub fn topics(registry: &Registry) -> Vec<Topic> {
    let mut topics = vec![language::file(), language::params(), spouts()];
    topics.extend(registry.spouts().map(spout));
    topics.push(bolts());
    topics.extend(registry.bolts().map(bolt));
    topics.push(language::time());
    topics.push(language::streams());
    topics.push(language::dead_letters());
    topics.push(language::groupings().options("Groupings", config::GROUPINGS));
    if let Some(factory) = registry.table_factory() {
        topics.push(language::tables().options("Keys", factory.options()).example(factory.example()));
    }
    topics.push(language::runtime().options("Keys", config::RUNTIME_OPTIONS));
    topics.push(language::latency());
    topics.push(language::tests().options("Keys", config::TEST_OPTIONS));
    topics.push(language::expressions());
    topics.push(operators());
    topics.push(functions());
    topics.push(language::aggregates());
    topics
}

fn spout(factory: &dyn SpoutFactory) -> Topic {
    kind("spout", factory.kind(), factory.doc(), factory.options(), factory.nested())
        .notes(factory.notes())
        .notes(["Keys that every spout may have: `sferic reference spouts`."])
        .example(factory.example())
}

fn bolt(factory: &dyn BoltFactory) -> Topic {
    let key = match factory.keyed() {
        Keyed::Never | Keyed::Global => "it has no `key`",
        Keyed::Optional => "it may have a `key`, and does its work for each key apart",
        Keyed::Required => "it needs a `key`",
    };
    kind("bolt", factory.kind(), factory.doc(), factory.options(), factory.nested())
        .notes(factory.notes())
        .notes([format!("Keys that every bolt may have: `sferic reference bolts`; {key}.")])
        .example(factory.example())
}

fn kind(family: &str, kind: &str, doc: &str, options: &[OptionSpec], nested: &'static [NestedOptions]) -> Topic {
    let mut topic = Topic::new(&format!("{family}s.{kind}"), &format!("{family} {kind}"), &sentence(doc));
    topic.names.push(kind.to_owned());
    topic.names.push(format!("{family} {kind}"));
    let mut ordered = options.to_vec();
    ordered.sort_by_key(|o| !o.required);
    let mut topic = topic.options("Keys", &ordered);
    if options.is_empty() {
        topic.notes.push("It has no keys of its own.".to_owned());
    }
    // Tables with the same keys, such as `window` and `windows.NAME`, are told together.
    for same in nested.chunk_by(|a, b| std::ptr::eq(a.options, b.options)) {
        let tables: Vec<&str> = same.iter().map(|n| n.table).collect();
        topic = topic.options(&format!("Keys of {}", tables.join(" and ")), same[0].options);
    }
    topic
}

fn spouts() -> Topic {
    let keys: Vec<OptionSpec> = config::SPOUT_KEYS.iter().map(|(name, doc)| OptionSpec::optional(name, doc)).collect();
    language::spouts().options("Keys of every spout", &keys)
}

fn bolts() -> Topic {
    let keys: Vec<OptionSpec> = config::BOLT_KEYS.iter().map(|(name, doc)| OptionSpec::optional(name, doc)).collect();
    language::bolts().options("Keys of every bolt", &keys)
}

fn operators() -> Topic {
    let mut topic = language::operators();
    topic.calls.push(("Operators, those that bind closest first".to_owned(), calls(expr::operators())));
    topic
}

fn functions() -> Topic {
    let mut topic = language::functions();
    for group in expr::FunctionGroup::ALL {
        let own: Vec<Call> = expr::functions().iter().filter(|f| f.group() == group).map(Call::from).collect();
        topic.calls.push((group.title().to_owned(), own));
    }
    topic
}

fn calls<'a, T: 'a>(list: &'a [T]) -> Vec<Call>
where
    Call: From<&'a T>,
{
    list.iter().map(Call::from).collect()
}

/// A doc of the code as a sentence: a capital letter, a full stop.
fn sentence(doc: &str) -> String {
    let mut chars = doc.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

/// The topics of a name: a topic, a kind (of spout and bolt, where both have it), a function, an operator.
///
/// # Errors
/// There is none: the nearest name, if one is near.
pub fn find(topics: &[Topic], name: &str) -> Result<Vec<Topic>, Option<String>> {
    let name = name.trim();
    let own: Vec<Topic> = topics.iter().filter(|t| t.is(name)).cloned().collect();
    let lower = name.to_lowercase();
    let bare = lower.strip_suffix("()").unwrap_or(&lower);
    let mut found = own;
    let called: Vec<&FunctionDoc> = expr::functions().iter().filter(|f| f.name == bare).collect();
    if !called.is_empty() {
        found.push(function(bare, &called));
    }
    for operator in expr::operators().iter().filter(|o| o.names.contains(&bare)) {
        let mut topic = Topic::new(bare, &format!("operator {bare}"), "");
        topic.calls.push((String::new(), vec![Call::from(operator)]));
        found.push(topic);
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let names = topics.iter().flat_map(|t| t.names.iter().map(String::as_str));
    let names = names.chain(expr::functions().iter().map(|f| f.name));
    let names = names.chain(expr::operators().iter().flat_map(|o| o.names.iter().copied()).filter(|n| n.len() > 3));
    Err(nearest(name, names).map(str::to_owned))
}

fn function(name: &str, docs: &[&FunctionDoc]) -> Topic {
    let mut topic = Topic::new(name, &format!("function {name}"), "");
    topic.calls.push((String::new(), docs.iter().map(|f| Call::from(*f)).collect()));
    if docs.iter().any(|f| f.group() == expr::FunctionGroup::Aggregate) {
        topic.notes.push(language::AGGREGATE_NOTE.to_owned());
    }
    topic
}
