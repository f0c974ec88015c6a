//! Column definitions: `fields.x = "double not null default 0"`.

use crate::component::{Node, Options};
use crate::problem::{Problem, nearest};
use crate::time;
use crate::tuple::{Column, DataType, Value};

/// A declared column.
#[derive(Clone, Debug)]
pub struct FieldSpec<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type.
    pub ty: DataType,
    /// Whether a record without a value for it is an error.
    pub not_null: bool,
    /// What takes the place of NULL.
    pub default: Option<Value>,
    /// Where it is declared.
    pub node: &'a Node,
}

impl FieldSpec<'_> {
    /// The column of the stream: one with a default is never NULL.
    pub fn column(&self) -> Column {
        Column { name: self.name.to_owned(), ty: self.ty, nullable: !self.not_null && self.default.is_none() }
    }
}

/// The declarations of the table `fields`, in the order of the file; none where something is wrong in it. Empty where
/// there is no such table.
pub fn fields<'a>(options: &Options<'a>) -> Option<Vec<FieldSpec<'a>>> {
    if !options.has("fields") {
        return Some(Vec::new());
    }
    let table = options.table("fields")?;
    let mut fields: Vec<FieldSpec<'a>> = Vec::new();
    let mut sound = true;
    for (key, node) in &table.entries {
        let name = key.name.as_str();
        if let Some(other) = fields.iter().find(|f| f.name.eq_ignore_ascii_case(name)) {
            let problem = Problem::error(format!("`{name}` is declared twice in `fields` of `{}`", options.component));
            options.problem(problem.at(key.span).also(other.node.span, "the first declaration"));
            sound = false;
            continue;
        }
        if name.starts_with('_') {
            let problem = Problem::error(format!("`{name}` cannot be declared: names with `_` in front are ours"));
            options.problem(problem.at(key.span).label("take another name"));
            sound = false;
            continue;
        }
        let Some(text) = node.as_text() else {
            options.wrong(&format!("fields.{name}"), node, "a column definition such as \"text not null\"");
            sound = false;
            continue;
        };
        match definition(text) {
            Ok((ty, not_null, default)) => fields.push(FieldSpec { name, ty, not_null, default, node }),
            Err((message, hint)) => {
                let problem = Problem::error(format!("`fields.{name}` of `{}`: {message}", options.component));
                options.problem(problem.at(node.span).hint(hint));
                sound = false;
            }
        }
    }
    sound.then_some(fields)
}

type Definition = (DataType, bool, Option<Value>);

const FORM: &str = "a definition is a type, then `not null`, then `default` and a value: \"double not null default 0\"";

fn definition(text: &str) -> Result<Definition, (String, String)> {
    let mut words = Words { rest: text };
    let mut name = String::new();
    while let Some(word) = words.next_unless(&["not", "null", "default"]) {
        if !name.is_empty() {
            name.push(' ');
        }
        name.push_str(word);
    }
    let ty: DataType = name.parse().map_err(|()| unknown_type(&name))?;
    let mut not_null = false;
    let mut default = None;
    while let Some(word) = words.next() {
        match word.to_ascii_lowercase().as_str() {
            "not" if words.next().is_some_and(|w| w.eq_ignore_ascii_case("null")) => not_null = true,
            "null" => {}
            "default" => default = literal(&mut words, ty)?,
            _ => return Err((format!("`{word}` is not understood"), FORM.to_owned())),
        }
    }
    Ok((ty, not_null, default))
}

fn unknown_type(name: &str) -> (String, String) {
    let names = DataType::ALL.map(DataType::name);
    let message = if name.is_empty() { "the type is missing".to_owned() } else { format!("`{name}` is no type") };
    let hint = match nearest(name, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("types are {}", names.join(", ")),
    };
    (message, hint)
}

fn literal(words: &mut Words<'_>, ty: DataType) -> Result<Option<Value>, (String, String)> {
    let wrong = |why: String| (why, format!("a default is a literal of the column's type, {ty}; text stands in '...'"));
    let Some(text) = words.literal() else {
        return Err(wrong("the value behind `default` is missing".to_owned()));
    };
    if text.eq_ignore_ascii_case("null") {
        return Ok(None);
    }
    let quoted = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')).map(|t| t.replace("''", "'"));
    let value = match (ty, &quoted) {
        (DataType::Text, Some(t)) => Some(Value::Text(t.clone())),
        (DataType::Timestamp, Some(t)) => time::parse_timestamp(t).ok().map(Value::Timestamp),
        (DataType::Interval, Some(t)) => time::parse_interval(t).ok().map(Value::Interval),
        (DataType::Bigint, None) => text.parse().ok().map(Value::Bigint),
        (DataType::Double, None) => text.parse().ok().map(Value::Double),
        (DataType::Boolean, None) => text.to_ascii_lowercase().parse().ok().map(Value::Boolean),
        _ => None,
    };
    value.map(Some).ok_or_else(|| wrong(format!("`{text}` is not a {ty}")))
}

/// The words of a definition.
struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        self.next_unless(&[])
    }

    /// The next word, left where it is if it is one of `stops`.
    fn next_unless(&mut self, stops: &[&str]) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        let word = rest.split_whitespace().next()?;
        if stops.iter().any(|s| s.eq_ignore_ascii_case(word)) {
            return None;
        }
        self.rest = &rest[word.len()..];
        Some(word)
    }

    /// The next literal: a text in single quotes (two of them are one) or a word.
    fn literal(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        if !rest.starts_with('\'') {
            return self.next();
        }
        let mut quotes = rest.match_indices('\'').skip(1).map(|(i, _)| i).peekable();
        while let Some(at) = quotes.next() {
            if quotes.next_if(|next| *next == at + 1).is_none() {
                self.rest = &rest[at + 1..];
                return Some(&rest[..at + 1]);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_read() {
        assert_eq!(definition("text not null"), Ok((DataType::Text, true, None)));
        assert_eq!(definition("double  precision"), Ok((DataType::Double, false, None)));
        assert_eq!(definition("BIGINT DEFAULT -3 NOT NULL"), Ok((DataType::Bigint, true, Some(Value::Bigint(-3)))));
        let text = Some(Value::Text("it's not null".into()));
        assert_eq!(definition("text default 'it''s not null'"), Ok((DataType::Text, false, text)));
        assert_eq!(definition("boolean default true"), Ok((DataType::Boolean, false, Some(Value::Boolean(true)))));
        assert_eq!(definition("double null default null"), Ok((DataType::Double, false, None)));
    }

    #[test]
    fn wrong_definitions_say_what_is_wrong() {
        for wrong in
            ["", "txt", "not null", "text not", "text unique", "bigint default", "bigint default 'x'", "text default x"]
        {
            assert!(definition(wrong).is_err(), "{wrong}");
        }
        assert!(definition("txet").unwrap_err().1.contains("`text`"));
    }
}
