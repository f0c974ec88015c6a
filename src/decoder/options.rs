//! The options of a source of records, and those that are read in one go.

use crate::component::{Node, OptionSpec, Options};
use crate::problem::Problem;
use crate::time::TimestampFormat;
use crate::tuple::codec::Converter;

/// The options of everything that decodes records.
pub const RECORD_OPTIONS: [OptionSpec; 17] = [
    OptionSpec::required(
        "format",
        "how records are written: \"csv\", \"json\" (one document a line), \"text\" or \"regex\"",
    ),
    OptionSpec::optional("schema", "a schema of [schemas]: its `fields` and `time` count as if they stood here"),
    OptionSpec::optional(
        "fields",
        "the columns: fields.NAME = \"TYPE [not null] [default VALUE]\"; types: boolean, bigint, double, text, timestamp, interval",
    ),
    OptionSpec::optional(
        "time",
        "the timestamp column (a field or an added one) that carries event time; by default the time of arrival",
    ),
    OptionSpec::optional(
        "paths",
        "where a column is found: paths.NAME = a JSON path (\"$.a.b[0]\") or the name in the CSV header; by default its own name",
    ),
    OptionSpec::optional(
        "columns",
        "csv: list of the names of the columns by position; those that no field declares are text, for `add` and `where`",
    ),
    OptionSpec::optional(
        "header",
        "csv: \"use\" its names (the default without `columns`), \"skip\" it, or there is \"none\"",
    ),
    OptionSpec::optional("delimiter", "csv: the character between values, a comma by default"),
    OptionSpec::optional(
        "null",
        "text or list of texts that mean NULL, such as [\"\", \"-\"]; for csv the empty one by default",
    ),
    OptionSpec::optional("each", "json: the array whose elements become a tuple each, such as \"$.data[*]\""),
    OptionSpec::optional(
        "regex",
        "regex: an expression or a list tried in order; named groups, (?<name>...), are columns",
    ),
    OptionSpec::optional(
        "timestamps",
        "how timestamps are written: \"rfc3339\", \"epoch_s\", \"epoch_ms\", \"epoch_us\", \"epoch_ns\", or a pattern such as \"%d/%b/%Y:%H:%M:%S\"",
    ),
    OptionSpec::optional("zone", "time zone of timestamps that name none, UTC by default"),
    OptionSpec::optional("year", "year of timestamps without one; by default the latest that is not in the future"),
    OptionSpec::optional("add", "computed columns: add.NAME = \"expression over all columns of the record\""),
    OptionSpec::optional("where", "which records become tuples: a condition over all columns of the record"),
    OptionSpec::optional("max_record", "longest record that is read, \"1MiB\" by default; longer ones are errors"),
];

pub(super) const FORMATS: [&str; 4] = ["csv", "json", "text", "regex"];

/// Options that have a meaning in some formats only.
const ONLY_IN: [(&str, &[&str]); 7] = [
    ("paths", &["csv", "json"]),
    ("columns", &["csv"]),
    ("header", &["csv"]),
    ("delimiter", &["csv"]),
    ("each", &["json"]),
    ("regex", &["regex"]),
    ("null", &["csv", "json", "regex"]),
];

/// Records the options that mean nothing for the format.
pub(super) fn only_in(options: &Options<'_>, format: &str) {
    for (name, formats) in ONLY_IN.iter().filter(|(_, formats)| !formats.contains(&format)) {
        if let Some((key, _)) = options.table.entry(name) {
            let message = format!("`{name}` of `{}` has no meaning for format \"{format}\"", options.component);
            let list = formats.iter().map(|f| format!("\"{f}\"")).collect::<Vec<_>>().join(", ");
            options.problem(Problem::error(message).at(key.span).hint(format!("it belongs to {list}")));
        }
    }
}

/// The entries of `paths`: column, place, text.
pub(super) fn paths<'a>(options: &Options<'a>) -> Option<Vec<(&'a str, &'a Node, &'a str)>> {
    if !options.has("paths") {
        return Some(Vec::new());
    }
    let mut paths = Vec::new();
    for (key, node) in &options.table("paths")?.entries {
        match node.as_text() {
            Some(text) => paths.push((key.name.as_str(), node, text)),
            None => options.wrong(&format!("paths.{}", key.name), node, "a string"),
        }
    }
    Some(paths)
}

/// What turns values into words: `null`, `timestamps`, `zone`, `year`.
pub(super) fn converter(options: &Options<'_>, format: &str) -> Option<Converter> {
    let nulls = match options.texts("null") {
        Some(texts) => texts.into_iter().map(|(t, _)| t.to_owned()).collect(),
        None if format == "csv" => vec![String::new()],
        None => Vec::new(),
    };
    let pattern = options.text("timestamps").unwrap_or("rfc3339");
    let year = options.integer("year", 1).and_then(|y| i16::try_from(y).ok());
    match TimestampFormat::new(pattern, options.text("zone"), year) {
        Ok(timestamps) => Some(Converter::new(timestamps, pattern, &nulls)),
        Err(why) => {
            let node = options.node("timestamps").or_else(|| options.node("zone"));
            let problem = Problem::error(format!("timestamps of `{}`: {why}", options.component));
            options.problem(problem.at(node.map_or(options.span, |n| n.span)));
            None
        }
    }
}
