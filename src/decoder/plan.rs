//! What the options of a source of records say, checked.

mod filter;

use super::columns::{Columns, Target};
use super::computed::{Add, Computed, Output, widens};
use super::fields::{FieldSpec, fields};
use super::options::{FORMATS, converter, only_in, paths};
use super::sources::{Finder, Found, record_size};
use super::{Decoder, Splitter, Start};
use crate::component::{Node, Options};
use crate::expr::{Entries, EntryStep, Environment, Scope, ScopeColumn};
use crate::problem::{Problem, nearest};
use crate::tuple::codec::{Cell, Converter, CsvSplitter, JsonPath, JsonSplitter, RegexSplitter, Step};
use crate::tuple::{Column, DataType, Layout, Slot, Value};
use filter::Filter;

/// The longest record where it stands alone in a text, which is in memory anyway.
const ALONE_MAX: usize = 1 << 27;

/// What the check of a source of records sees.
pub struct DecoderCheck<'a> {
    /// The user's id of the component; may stand before columns in expressions.
    pub name: &'a str,
    /// What the user wrote.
    pub options: Options<'a>,
    /// Parameters and reference tables.
    pub environment: &'a Environment,
    /// The header's names by delimiter, where they can be known.
    pub header: &'a dyn Fn(u8) -> Option<Vec<String>>,
}

/// A checked source of records.
pub struct DecoderPlan {
    columns: Vec<Column>,
    time: Option<usize>,
    side_streams: Vec<(&'static str, Vec<Column>)>,
    format: Format,
    candidates: Vec<Candidate>,
    outputs: Vec<Origin>,
    adds: Option<(Vec<String>, Entries)>,
    filter: Option<Filter>,
    converter: Converter,
    max_record: usize,
}

pub(super) enum Format {
    Csv { delimiter: u8, header: Header, columns: usize },
    Json { paths: Vec<JsonPath>, each: Option<Vec<Step>> },
    Regex(RegexSplitter, usize),
    Text,
}

/// What becomes of the first record of a CSV split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    Use,
    Skip,
    None,
}

/// A column that can be had from a record: in the stream, or for `add` and `where` only.
pub(super) struct Candidate {
    pub(super) column: Column,
    pub(super) place: Place,
    pub(super) default: Option<Value>,
}

pub(super) enum Place {
    Cell(usize),
    Header(String),
    Source,
    Offset,
    Received,
}

impl Candidate {
    pub(super) fn of(field: &FieldSpec<'_>, place: Place) -> Candidate {
        Candidate { column: field.column(), place, default: field.default.clone() }
    }

    pub(super) fn text(name: &str, place: Place) -> Candidate {
        Candidate { column: Column::new(name, DataType::Text), place, default: None }
    }
}

/// Where a column of the stream comes from.
enum Origin {
    Candidate(usize),
    Entry { entry: usize, default: Option<Value>, widen: bool },
}

impl DecoderPlan {
    /// Checks the options in [`super::RECORD_OPTIONS`]. Records every problem; none where it cannot be told what the stream
    /// looks like.
    pub fn check(check: &DecoderCheck<'_>) -> Option<DecoderPlan> {
        DecoderPlan::check_as(check, false)
    }

    /// The same for records that stand alone in texts: they have no header, and `time`, `add` and `where` are not theirs.
    pub fn check_alone(check: &DecoderCheck<'_>) -> Option<DecoderPlan> {
        DecoderPlan::check_as(check, true)
    }

    fn check_as(check: &DecoderCheck<'_>, alone: bool) -> Option<DecoderPlan> {
        let options = &check.options;
        let fields = fields(options);
        let max_record = record_size(options, "max_record").unwrap_or(if alone { ALONE_MAX } else { 1 << 20 });
        let format = options.choice("format", &FORMATS);
        let converter = format.and_then(|format| converter(options, format));
        let (format, mut fields) = (format?, fields?);
        only_in(options, format);
        let implied = Node { span: options.span, value: crate::component::NodeValue::Boolean(true) };
        if format == "text" && fields.is_empty() {
            fields.push(FieldSpec { name: "line", ty: DataType::Text, not_null: true, default: None, node: &implied });
        }
        let add_names: Vec<&str> = match options.node("add").and_then(Node::as_table).filter(|_| !alone) {
            Some(table) => table.entries.iter().map(|(key, _)| key.name.as_str()).collect(),
            None => Vec::new(),
        };
        if fields.is_empty() && add_names.is_empty() {
            let problem = Problem::error(format!("`fields` of `{}` is missing", options.component)).at(options.span);
            options.problem(
                problem.hint("say what each column is, `fields.amount = \"double not null\"`, or name a `schema`"),
            );
            return None;
        }
        let computed = |name: &str| add_names.iter().any(|n| n.eq_ignore_ascii_case(name));
        let finder = Finder { check, alone, fields: &fields, computed: &computed, paths: paths(options)? };
        let found = match format {
            "csv" => finder.csv(),
            "json" => finder.json(),
            "regex" => finder.regex(),
            _ => finder.text(),
        };
        Checking { check, alone, fields: &fields, found: found? }.finish(converter?, max_record)
    }

    /// The columns of the stream.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column of event time.
    pub fn time(&self) -> Option<usize> {
        self.time
    }

    /// Streams of records that are no tuples of the main one, beside `errors`.
    pub fn side_streams(&self) -> &[(&'static str, Vec<Column>)] {
        &self.side_streams
    }

    /// The longest record in bytes.
    pub fn max_record(&self) -> usize {
        self.max_record
    }

    /// Whether a record can make several rows, so that a position may lie inside a record.
    pub fn has_elements(&self) -> bool {
        matches!(self.format, Format::Json { each: Some(_), .. })
    }

    /// Whether records are rows of CSV, which may have line ends in quotes.
    pub fn is_csv(&self) -> bool {
        matches!(self.format, Format::Csv { .. })
    }

    /// Words for `explain`.
    pub fn describe(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.adds.is_some() || self.filter.is_some() {
            words.push("`add` and `where` are evaluated as records are decoded".to_owned());
        }
        match self.time {
            Some(time) => words.push(format!("event time: `{}`", self.columns[time].name)),
            None => words.push("event time: the time of arrival".to_owned()),
        }
        words
    }

    /// Makes the decoder of one split. `slots` are those of the columns of the stream; `source` is what `_source` says.
    pub fn decoder(&self, slots: &[Slot], source: &str, split_id: u32) -> Decoder {
        let direct = self.adds.is_none() && self.filter.is_none();
        let layout = Layout::new(self.candidates.len() + self.adds.as_ref().map_or(0, |(names, _)| names.len()));
        let mut targets: Vec<(usize, usize)> = Vec::new();
        for candidate in self.used() {
            let rank = self.filter.as_ref().map_or(0, |f| usize::from(f.late || !f.reads(candidate)));
            targets.push((rank, candidate));
        }
        targets.retain(|(_, c)| matches!(self.candidates[*c].place, Place::Cell(_) | Place::Header(_)));
        targets.sort();
        let slot_of = |candidate: usize| {
            let output = self.outputs.iter().position(|o| matches!(o, Origin::Candidate(c) if *c == candidate));
            match output.filter(|_| direct) {
                Some(output) => slots[output],
                None => layout.slot(candidate),
            }
        };
        let mut names = Vec::new();
        let made = targets.iter().map(|&(_, n)| {
            let candidate = &self.candidates[n];
            let required = !candidate.column.nullable && candidate.default.is_none();
            names.push(match &candidate.place {
                Place::Header(name) => (name.clone(), required),
                _ => (String::new(), false),
            });
            candidate.target(slot_of(n))
        });
        let made: Vec<Target> = made.collect();
        let early = targets.iter().filter(|(rank, _)| *rank == 0).count();
        let (splitter, cells) = self.splitter();
        let (delimiter, header) = match self.format {
            Format::Csv { delimiter, header, .. } => (delimiter, header),
            _ => (b',', Header::None),
        };
        Decoder {
            splitter,
            cells: vec![Cell::default(); cells],
            ascii: false,
            columns: Columns {
                converter: self.converter.clone(),
                targets: made,
                computed: (!direct).then(|| self.computed(layout, slots, source, early)),
                time: self.time.map(|t| slots[t]),
                time_name: self.time.map_or(String::new(), |t| self.columns[t].name.clone()),
            },
            split_id,
            max_record: self.max_record,
            start: Start { done: false, header, delimiter, names },
            scanned: 0,
            skipping: None,
            element: None,
            resume_at: 0,
            only: None,
            filtered: 0,
        }
    }

    fn splitter(&self) -> (Splitter, usize) {
        match &self.format {
            Format::Csv { delimiter, columns, .. } => (Splitter::Csv(CsvSplitter::new(*delimiter, *columns)), *columns),
            Format::Json { paths, each } => {
                let json = JsonSplitter::new(paths, each.as_deref());
                let cells = json.cells();
                (Splitter::Json(json), cells)
            }
            Format::Regex(regex, cells) => (Splitter::Regex(regex.clone()), *cells),
            Format::Text => (Splitter::Text, 1),
        }
    }

    /// The candidates that the stream or an expression needs, in their order.
    fn used(&self) -> Vec<usize> {
        let mut used: Vec<usize> = Vec::new();
        used.extend(self.outputs.iter().filter_map(|o| match o {
            Origin::Candidate(c) => Some(*c),
            Origin::Entry { .. } => None,
        }));
        let entries = self.adds.iter().flat_map(|(_, entries)| &entries.expressions);
        used.extend(entries.flat_map(|e| e.columns().iter().copied()));
        used.extend(self.filter.iter().flat_map(|f| f.condition.columns().iter().map(|c| f.places[*c])));
        used.retain(|c| *c < self.candidates.len());
        used.sort_unstable();
        used.dedup();
        used
    }

    fn computed(&self, layout: Layout, slots: &[Slot], source: &str, early: usize) -> Computed {
        let entry_slot = |entry: usize| layout.slot(self.candidates.len() + entry);
        let used = self.used();
        let pseudo = |wanted: fn(&Place) -> bool| {
            used.iter().find(|c| wanted(&self.candidates[**c].place)).map(|c| layout.slot(*c))
        };
        let mut adds = Vec::new();
        if let Some((names, entries)) = &self.adds {
            for step in &entries.order {
                if let EntryStep::Expression(entry) = *step {
                    let expression = entries.expressions[entry].compile(&|column| layout.slot(column));
                    adds.push(Add { name: names[entry].clone(), expression, slot: entry_slot(entry) });
                }
            }
        }
        let outputs = self.outputs.iter().zip(slots).zip(&self.columns).map(|((origin, to), column)| {
            let (from, default, widen) = match origin {
                Origin::Candidate(c) => (layout.slot(*c), None, false),
                Origin::Entry { entry, default, widen } => (entry_slot(*entry), default.clone(), *widen),
            };
            Output { name: column.name.clone(), from, to: *to, nullable: column.nullable, default, widen }
        });
        let outputs = outputs.collect();
        Computed {
            words: vec![0; layout.words()],
            layout,
            early,
            filter: self.filter.as_ref().map(|f| f.condition.compile(&|column| layout.slot(f.places[column]))),
            filter_is_late: self.filter.as_ref().is_some_and(|f| f.late),
            adds,
            outputs,
            source: (source.to_owned(), pseudo(|p| matches!(p, Place::Source))),
            offset: pseudo(|p| matches!(p, Place::Offset)),
            received: pseudo(|p| matches!(p, Place::Received)),
        }
    }
}

impl Candidate {
    fn target(&self, slot: Slot) -> Target {
        Target {
            name: self.column.name.clone(),
            cell: if let Place::Cell(cell) = self.place { cell } else { 0 },
            slot,
            ty: self.column.ty,
            nullable: self.column.nullable,
            default: self.default.clone(),
        }
    }
}

/// The second half of the check: expressions, and what the stream is made of.
struct Checking<'a, 'c> {
    check: &'c DecoderCheck<'a>,
    /// Records stand alone in texts.
    alone: bool,
    fields: &'c [FieldSpec<'a>],
    found: Found,
}

impl<'a> Checking<'a, '_> {
    fn finish(mut self, converter: Converter, max_record: usize) -> Option<DecoderPlan> {
        let options = &self.check.options;
        for (name, ty, place) in [
            ("_source", DataType::Text, Place::Source),
            ("_offset", DataType::Bigint, Place::Offset),
            ("_received", DataType::Timestamp, Place::Received),
        ] {
            let column = Column::new(name, ty).not_null();
            self.found.candidates.push(Candidate { column, place, default: None });
        }
        let adds = match options.has("add") && !self.alone {
            true => Some(self.adds()),
            false => None,
        };
        let (columns, outputs) = match &adds {
            Some(None) => (Vec::new(), Vec::new()),
            Some(Some((entries, checked))) => self.outputs(entries, checked),
            None => self.outputs(&[], &Entries::default()),
        };
        let filter = match (&adds, options.has("where") && !self.alone) {
            (_, false) => None,
            (Some(None), true) => {
                self.filter_in_doubt();
                None
            }
            (adds, true) => Some(self.filter(adds.as_ref().and_then(Option::as_ref))?),
        };
        let adds = match adds {
            Some(adds) => Some(adds?),
            None => None,
        };
        let time = self.time(&columns)?;
        let side_streams = match self.found.format {
            Format::Regex(..) => vec![(
                "unmatched",
                vec![
                    Column::new("line", DataType::Text).not_null(),
                    Column::new("position", DataType::Bigint).not_null(),
                ],
            )],
            _ => Vec::new(),
        };
        Some(DecoderPlan {
            columns,
            time,
            side_streams,
            format: self.found.format,
            candidates: self.found.candidates,
            outputs,
            adds: adds.map(|(names, entries)| (names.iter().map(|(n, _)| (*n).to_owned()).collect(), entries)),
            filter,
            converter,
            max_record,
        })
    }

    fn scope_columns(&self) -> Vec<ScopeColumn<'_>> {
        self.found.candidates.iter().map(|c| ScopeColumn { stream: self.check.name, column: &c.column }).collect()
    }

    fn adds(&self) -> Option<(Vec<(&'a str, &'a Node)>, Entries)> {
        let columns = self.scope_columns();
        let scope = Scope { columns: &columns, environment: self.check.environment };
        self.check.options.adds(&scope, false)
    }

    /// The columns of the stream: the fields in their order, then the added ones that are no fields.
    fn outputs(&self, entries: &[(&'a str, &'a Node)], checked: &Entries) -> (Vec<Column>, Vec<Origin>) {
        let (mut columns, mut outputs) = (Vec::new(), Vec::new());
        for field in self.fields {
            columns.push(field.column());
            outputs.push(match entries.iter().position(|(name, _)| name.eq_ignore_ascii_case(field.name)) {
                Some(entry) => {
                    let found = checked.expressions[entry].data_type();
                    let widen = widens(found, field.ty);
                    if found != field.ty && !widen {
                        let message = format!("`add.{}` is a {found}, but the column is a {}", field.name, field.ty);
                        let problem = Problem::error(message).at(entries[entry].1.span);
                        self.check.options.problem(problem.hint(format!("write `(...)::{}`", field.ty)));
                    }
                    Origin::Entry { entry, default: field.default.clone(), widen }
                }
                None => {
                    let found = self.found.candidates.iter().position(|c| c.column.is(field.name));
                    Origin::Candidate(found.unwrap_or_default())
                }
            });
        }
        for (entry, (name, _)) in entries.iter().enumerate() {
            if !self.fields.iter().any(|f| f.name.eq_ignore_ascii_case(name)) {
                let expression = &checked.expressions[entry];
                let (ty, nullable) = (expression.data_type(), expression.nullable());
                columns.push(Column { name: (*name).to_owned(), ty, nullable });
                outputs.push(Origin::Entry { entry, default: None, widen: false });
            }
        }
        (columns, outputs)
    }

    /// The outer option is none where the name is wrong.
    fn time(&self, columns: &[Column]) -> Option<Option<usize>> {
        let options = &self.check.options;
        if !options.has("time") || self.alone {
            return Some(None);
        }
        let name = options.text("time")?;
        let node = options.node("time")?;
        let problem = match columns.iter().position(|c| c.is(name)) {
            Some(index) if columns[index].ty == DataType::Timestamp => return Some(Some(index)),
            Some(index) => Problem::error(format!("`time` must name a timestamp, `{name}` is a {}", columns[index].ty)),
            None => {
                let problem = Problem::error(format!("`{}` has no column `{name}` for `time`", options.component));
                match nearest(name, columns.iter().map(|c| c.name.as_str())) {
                    Some(near) => problem.label(format!("did you mean `{near}`?")),
                    None => problem,
                }
            }
        };
        options.problem(problem.at(node.span));
        None
    }
}
