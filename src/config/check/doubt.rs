//! Bolts behind a broken one: what is wrong with them whatever was meant there.
//!
//! 1. A broken bolt is checked again with what is wrong in it left out or replaced, which says which streams it has. What
//!    the types of its wrong columns would be is not known, so this is done once for each type, and once without them.
//! 2. A bolt behind it is checked against each of these, and only problems that are found every time are reported: the
//!    others may follow from the broken bolt alone.
//! 3. Where not even that says which streams there are, nothing is said of the bolts behind it.

use super::super::checked::Stream;
use super::super::model::Item;
use super::Checker;
use crate::component::{ColumnSource, Key, Node, NodeValue, Options, OutputColumn, Table, TextNode};
use crate::problem::{Problems, Span};
use crate::tuple::{Column, DataType};

/// What is assumed of the columns whose types are not known: a type, or that they are not there.
type Assumption = Option<DataType>;

/// One way in which the broken bolts may have been meant.
pub(super) struct World {
    assumption: Assumption,
    streams: Vec<Stream>,
}

impl World {
    /// All ways; the first one is the one that problems are told in.
    pub(super) fn all() -> Vec<World> {
        let typed = DataType::ALL.iter().map(|ty| Some(*ty));
        typed.chain([None]).map(|assumption| World { assumption, streams: Vec::new() }).collect()
    }
}

impl<'m> Checker<'m> {
    /// Whether a bolt reads one whose streams are only guessed.
    pub(super) fn in_doubt(&self, item: &Item) -> bool {
        self.owners_read(item).iter().any(|owner| self.doubtful.contains(owner))
    }

    /// Guesses the streams of a bolt whose problems have been reported.
    pub(super) fn guess(&mut self, item: &Item) {
        let worlds = std::mem::take(&mut self.worlds);
        let guessed: Vec<Option<Vec<Stream>>> = worlds.iter().map(|world| self.guessed(item, world)).collect();
        self.worlds = worlds;
        self.learn(item, guessed);
    }

    /// Checks a bolt that reads guessed streams, and guesses its own.
    pub(super) fn check_in_doubt(&mut self, item: &Item) {
        let worlds = std::mem::take(&mut self.worlds);
        let (mut found, mut streams, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for world in &worlds {
            let problems = Problems::new();
            let mut other = self.other(world, &problems);
            let first = other.streams.len();
            let made = other.bolt(item).map(|()| other.streams.split_off(first));
            missing = other.missing.take();
            drop(other);
            streams.push(made.or_else(|| self.guessed(item, world)));
            found.push(problems);
        }
        self.worlds = worlds;
        Problems::common(found).into_iter().for_each(|problem| self.problems.push(problem));
        self.missing.replace(missing);
        self.learn(item, streams);
    }

    fn learn(&mut self, item: &Item, streams: Vec<Option<Vec<Stream>>>) {
        self.broken.push(item.key.name.clone());
        if let Some(streams) = streams.into_iter().collect::<Option<Vec<_>>>() {
            self.doubtful.push(item.key.name.clone());
            self.worlds.iter_mut().zip(streams).for_each(|(world, streams)| world.streams.extend(streams));
        }
    }

    /// A checker in one of the worlds.
    fn other<'o>(&'o self, world: &World, problems: &'o Problems) -> Checker<'o> {
        Checker {
            model: self.model,
            registry: self.registry,
            problems,
            environment: self.environment.clone(),
            tables: Vec::new(),
            spouts: Vec::new(),
            bolts: Vec::new(),
            streams: self.streams.iter().chain(&world.streams).cloned().collect(),
            broken: self.broken.iter().filter(|b| !self.doubtful.contains(b)).cloned().collect(),
            doubtful: Vec::new(),
            worlds: Vec::new(),
            lacking: self.lacking.clone(),
            missing: self.missing.clone(),
            data_dir: self.data_dir.clone(),
        }
    }

    /// The streams of a broken bolt without what is wrong in it.
    fn guessed(&self, item: &Item, world: &World) -> Option<Vec<Stream>> {
        let problems = Problems::new();
        _ = self.other(world, &problems).bolt(item);
        let wrong: Vec<Span> = problems.into_sorted().into_iter().filter_map(|p| p.span).collect();
        let (table, unknown) = self.repaired(item, &wrong, world)?;
        for stand_in in [None, Some(NodeValue::Integer(1)), Some(text("1s"))] {
            let mut repaired = Item { table: table.clone(), ..item.clone() };
            if let Some(value) = stand_in {
                self.complete(&mut repaired, &value);
            }
            let problems = Problems::new();
            let mut other = self.other(world, &problems);
            let first = other.streams.len();
            if other.bolt(&repaired).is_none() {
                continue;
            }
            let mut streams = other.streams.split_off(first);
            // What `keep` names and is not known is there, as far as others are concerned.
            let errors = streams.len() - 1;
            for (stream, ty) in streams[..errors].iter_mut().flat_map(|s| world.assumption.map(|ty| (s, ty))) {
                let column = |name: &String| Column::new(name.as_str(), ty);
                let added =
                    unknown.iter().map(column).map(|column| OutputColumn { column, source: ColumnSource::Computed });
                stream.columns.extend(added);
            }
            return Some(streams);
        }
        None
    }

    /// A bolt's table without what is wrong in it, and the names of `keep` that were left out; none where it cannot be
    /// known what it reads or what kind it is.
    fn repaired(&self, item: &Item, wrong: &[Span], world: &World) -> Option<(Table, Vec<String>)> {
        let hit = |span: Span| wrong.iter().any(|w| w.file == span.file && w.start >= span.start && w.end <= span.end);
        let (mut table, mut unknown) = (Table::default(), Vec::new());
        for (key, node) in &item.table.entries {
            if hit(key.span) {
                continue;
            }
            let value = match (key.name.as_str(), &node.value) {
                ("add", NodeValue::Table(adds)) => {
                    let entries =
                        adds.entries.iter().filter_map(|(name, node)| match (hit(node.span), world.assumption) {
                            (false, _) => Some((name.clone(), node.clone())),
                            (true, Some(ty)) => {
                                Some((name.clone(), Node { span: node.span, value: text(&format!("null::{ty}")) }))
                            }
                            (true, None) => None,
                        });
                    NodeValue::Table(Table { entries: entries.collect() })
                }
                ("keep", NodeValue::Array(names)) => {
                    let (left_out, kept): (Vec<&Node>, Vec<&Node>) = names.iter().partition(|n| hit(n.span));
                    unknown.extend(left_out.iter().filter_map(|n| n.as_text()).map(str::to_owned));
                    NodeValue::Array(kept.into_iter().cloned().collect())
                }
                ("from" | "kind", _) if hit(node.span) => return None,
                ("key", _) if hit(node.span) => text(&self.first_column(item, world)?),
                _ if hit(node.span) => continue,
                (_, value) => value.clone(),
            };
            table.entries.push((key.clone(), Node { span: node.span, value }));
        }
        Some((table, unknown))
    }

    /// A column of the bolt's first input: what stands for a key that is wrong.
    fn first_column(&self, item: &Item, world: &World) -> Option<String> {
        let silent = Problems::new();
        let options = Options { component: "", span: item.key.span, table: &item.table, problems: &silent };
        let from = super::from::parse(item, &options)?;
        let name = &from.first()?.stream;
        let stream = self.streams.iter().chain(&world.streams).find(|s| s.name == *name)?;
        Some(stream.columns.first()?.column.name.clone())
    }

    /// Gives a bolt the keys that it needs and has not.
    fn complete(&self, item: &mut Item, value: &NodeValue) {
        let kind = item.table.get("kind").and_then(Node::as_text);
        let Some(factory) = kind.and_then(|kind| self.registry.bolt_of(kind)) else { return };
        let wanted = factory.options().iter().filter(|spec| spec.required || spec.name == "ttl");
        let lacking: Vec<&str> = wanted.map(|spec| spec.name).filter(|name| item.table.get(name).is_none()).collect();
        for name in lacking {
            let key = Key { name: name.to_owned(), span: item.key.span };
            item.table.entries.push((key, Node { span: item.key.span, value: value.clone() }));
        }
    }
}

fn text(text: &str) -> NodeValue {
    NodeValue::Text(TextNode { text: text.to_owned(), start: None })
}
