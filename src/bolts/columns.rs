//! Which columns of its inputs a bolt keeps: `keep`, its names and their problems.
//!
//! A name is a column (`amount`), a column of a stream (`payments.amount`), all columns of a stream (`payments.*`), or
//! `*` for all. Columns compare without case. Every bolt that has `keep` reads it through this module, so that a name
//! means the same everywhere.

use crate::component::{InputStream, Node, Options};
use crate::expr::ScopeColumn;
use crate::problem::{Problem, nearest};
use crate::tuple::Column;

/// A column that several inputs have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct CommonColumn {
    /// Name as the first input that has it declares it, type, nullability.
    pub column: Column,
    /// For each input the index of the column there; none where it is filled with NULL.
    pub from: Vec<Option<usize>>,
}

/// What a name of `keep` means in one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// All columns.
    All,
    /// One column, by index.
    One(usize),
    /// The stream is this one, the column is unknown.
    NoColumn,
    /// It is not about this stream, or a bare name that is no column of it.
    Other,
}

/// What `name` means in a stream with these columns.
pub fn named(name: &str, stream: &str, columns: &[Column]) -> Named {
    if let Some(at) = columns.iter().position(|c| c.is(name)) {
        return Named::One(at);
    }
    let rest = match name.rsplit_once('.') {
        _ if name == "*" => "*",
        Some((of, rest)) if of.eq_ignore_ascii_case(stream) => rest,
        _ => return Named::Other,
    };
    if rest == "*" {
        return Named::All;
    }
    columns.iter().position(|c| c.is(rest)).map_or(Named::NoColumn, Named::One)
}

/// The columns of an input as an expression may name them.
pub fn scope_columns(input: &InputStream) -> Vec<ScopeColumn<'_>> {
    input.columns.iter().map(|column| ScopeColumn { stream: &input.name, column }).collect()
}

/// `keep` of a bolt over one stream: indexes of its columns, each once, in the order of `keep`; `default` where there
/// is no `keep`. None if there are problems, which have been recorded.
pub fn keep(options: &Options<'_>, stream: &str, columns: &[Column], default: &[usize]) -> Option<Vec<usize>> {
    if !options.has("keep") {
        return Some(default.to_vec());
    }
    let mut kept = Vec::new();
    let mut good = true;
    for (name, node) in options.texts("keep")? {
        match named(name, stream, columns) {
            Named::All => kept.extend(0..columns.len()),
            Named::One(at) => kept.push(at),
            Named::NoColumn | Named::Other => {
                unknown(options, name, node, &[(stream, columns)]);
                good = false;
            }
        }
    }
    good.then(|| unique(kept))
}

/// `keep` of a bolt that takes its inputs apart and whose output has columns that all of them share: each name must be
/// a column of every input (of at least one with `fill`), of the same type. None without `keep` or if there are
/// problems, which have been recorded.
pub fn keep_common(options: &Options<'_>, inputs: &[InputStream], fill: bool) -> Option<Vec<CommonColumn>> {
    let streams: Vec<(&str, &[Column])> = inputs.iter().map(|i| (&*i.name, &*i.columns)).collect();
    let mut kept: Vec<CommonColumn> = Vec::new();
    let mut good = true;
    for (name, node) in options.texts("keep")? {
        let found = names(name, &streams);
        if found.is_empty() {
            unknown(options, name, node, &streams);
            good = false;
        }
        for found in found {
            match common(options, found, node, &streams, fill) {
                Some(column) if !kept.iter().any(|k| k.column.is(&column.column.name)) => kept.push(column),
                Some(_) => {}
                None => good = false,
            }
        }
    }
    good.then_some(kept)
}

/// `keep` of a bolt whose rows are made of one row of each input: for each column its input and its index there, each
/// once, in the order of `keep`. A bare name must be a column of one input only. None without `keep` or if there are
/// problems, which have been recorded.
pub fn keep_apart(options: &Options<'_>, inputs: &[InputStream]) -> Option<Vec<(usize, usize)>> {
    let streams: Vec<(&str, &[Column])> = inputs.iter().map(|i| (&*i.name, &*i.columns)).collect();
    let mut kept: Vec<(usize, usize)> = Vec::new();
    let mut good = true;
    for (name, node) in options.texts("keep")? {
        let mut found: Vec<(usize, usize)> = Vec::new();
        let mut owners: Vec<&str> = Vec::new();
        for (at, (stream, columns)) in streams.iter().enumerate().filter(|_| name != "*" || streams.len() == 1) {
            match named(name, stream, columns) {
                Named::All => found.extend((0..columns.len()).map(|column| (at, column))),
                Named::One(column) => found.push((at, column)),
                Named::NoColumn | Named::Other => continue,
            }
            owners.push(stream);
        }
        match owners[..] {
            [] => {
                unknown(options, name, node, &streams);
                good = false;
            }
            [_] => kept.extend(found.into_iter().filter(|place| !kept.contains(place)).collect::<Vec<_>>()),
            [first, second, ..] => {
                let message = format!("`keep` names `{name}`, which is a column of `{first}` and of `{second}`");
                let hint = format!("write `{first}.{name}` or `{second}.{name}`");
                options.problem(Problem::error(message).at(node.span).label("which one?").hint(hint));
                good = false;
            }
        }
    }
    good.then_some(kept)
}

/// The bare names of the columns that a name of `keep` stands for over several streams.
fn names<'a>(name: &'a str, streams: &[(&str, &'a [Column])]) -> Vec<&'a str> {
    if name == "*" && streams.len() > 1 {
        return Vec::new();
    }
    let mut found: Vec<&str> = Vec::new();
    for (stream, columns) in streams {
        match named(name, stream, columns) {
            Named::All => found.extend(columns.iter().map(|c| &*c.name)),
            Named::One(at) => found = vec![&columns[at].name],
            Named::NoColumn | Named::Other => continue,
        }
        break;
    }
    found
}

/// Finds a column in every stream.
fn common(
    options: &Options<'_>,
    name: &str,
    node: &Node,
    streams: &[(&str, &[Column])],
    fill: bool,
) -> Option<CommonColumn> {
    let from: Vec<Option<usize>> = streams.iter().map(|(_, cs)| cs.iter().position(|c| c.is(name))).collect();
    let mut present = streams.iter().zip(&from).filter_map(|((stream, columns), at)| Some((stream, &columns[(*at)?])));
    let (first_stream, first) = present.next()?;
    let mut good = true;
    let mut nullable = first.nullable || from.contains(&None);
    for (stream, column) in present {
        nullable |= column.nullable;
        if column.ty != first.ty {
            let message = format!(
                "column `{name}` is a {} in `{first_stream}` and a {} in `{stream}`: one output column cannot be both",
                first.ty, column.ty
            );
            let hint = format!("cast one of them in a `select` before `{}`", options.component);
            options.problem(Problem::error(message).at(node.span).label("of two types").hint(hint));
            good = false;
        }
    }
    if !fill {
        for ((stream, columns), _) in streams.iter().zip(&from).filter(|(_, at)| at.is_none()) {
            let mut problem = Problem::error(format!("`keep` names `{name}`, which is no column of `{stream}`"))
                .at(node.span)
                .label(format!("not in `{stream}`"));
            if let Some(near) = nearest(name, columns.iter().map(|c| &*c.name)) {
                problem = problem.hint(format!("`{stream}` has `{near}`; name it alike in a `select` before"));
            }
            options.problem(problem.hint("`fill = \"null\"` makes it NULL for rows of that stream"));
            good = false;
        }
    }
    let column = Column { name: first.name.clone(), ty: first.ty, nullable };
    good.then_some(CommonColumn { column, from })
}

/// Reports a name of `keep` that stands for nothing.
fn unknown(options: &Options<'_>, name: &str, node: &Node, streams: &[(&str, &[Column])]) {
    let list = |names: &mut dyn Iterator<Item = &str>| names.map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    if name == "*" {
        let problem = Problem::error("`*` stands for the columns of one stream, and there are several").at(node.span);
        return options.problem(
            problem
                .label("whose columns?")
                .hint(format!("write `{}.*`, or the names", streams.first().map_or("stream", |s| s.0))),
        );
    }
    let of = name.rsplit_once('.').map(|(of, _)| of);
    let known = streams.iter().find(|(s, _)| of.is_some_and(|of| of.eq_ignore_ascii_case(s)));
    if let (Some(of), None) = (of, known) {
        let mut problem = Problem::error(format!("`keep` names `{name}`, but `{of}` is no input")).at(node.span);
        problem = match nearest(of, streams.iter().map(|s| s.0)) {
            Some(near) => problem.label(format!("did you mean `{near}`?")),
            None => problem.label("no such input"),
        };
        return options.problem(problem.hint(format!("inputs are {}", list(&mut streams.iter().map(|s| s.0)))));
    }
    let bare = name.rsplit_once('.').map_or(name, |(_, bare)| bare);
    let among = known.map_or(streams, std::slice::from_ref);
    let owner = list(&mut among.iter().map(|s| s.0));
    let mut problem = Problem::error(format!("`keep` names `{bare}`, which is no column of {owner}")).at(node.span);
    let columns = || among.iter().flat_map(|(_, columns)| columns.iter().map(|c| &*c.name));
    problem = match nearest(bare, columns()) {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None => problem.label("no such column"),
    };
    options.problem(problem.hint(format!("columns are {}", list(&mut columns()))));
}

/// Each index once, in the order of its first place.
fn unique(indexes: Vec<usize>) -> Vec<usize> {
    let mut kept = Vec::with_capacity(indexes.len());
    for index in indexes {
        if !kept.contains(&index) {
            kept.push(index);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bolts::rig;
    use crate::problem::{FileId, Problems, Span};
    use crate::tuple::DataType;

    fn stream(name: &str, columns: &[(&str, DataType)]) -> InputStream {
        let columns = columns.iter().map(|(n, ty)| Column::new(*n, *ty).not_null()).collect();
        InputStream { name: name.to_owned(), columns, disorder: 0 }
    }

    fn with<R>(toml: &str, read: impl FnOnce(&Options<'_>) -> R) -> (R, Vec<String>) {
        let table = rig::table(toml);
        let problems = Problems::new();
        let span = Span::new(FileId(0), 0..0);
        let result = read(&Options { component: "bolts.b", span, table: &table, problems: &problems });
        (result, rig::texts(problems))
    }

    #[test]
    fn names_stars_and_streams_are_read_without_case_and_once() {
        let columns =
            stream("s", &[("id", DataType::Text), ("Amount", DataType::Double), ("x", DataType::Bigint)]).columns;
        let read = |toml: &str| with(toml, |o| keep(o, "s", &columns, &[2])).0;
        assert_eq!(read(""), Some(vec![2]));
        assert_eq!(read("keep = []"), Some(vec![]));
        assert_eq!(read("keep = 'AMOUNT'"), Some(vec![1]));
        assert_eq!(read("keep = ['s.x', 's.*']"), Some(vec![2, 0, 1]));
        assert_eq!(read("keep = ['*']"), Some(vec![0, 1, 2]));
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_nearest() {
        let columns = stream("s", &[("id", DataType::Text), ("amount", DataType::Double)]).columns;
        let (kept, problems) = with("keep = ['amuont', 't.*', 's.idd']", |o| keep(o, "s", &columns, &[]));
        assert_eq!(kept, None);
        assert_eq!(problems.len(), 3);
        assert!(problems[0].contains("did you mean `amount`?"), "{problems:?}");
        assert!(problems[1].contains("`t` is no input") && problems[1].contains("did you mean `s`?"), "{problems:?}");
        assert!(problems[2].contains("did you mean `id`?"), "{problems:?}");
    }

    #[test]
    fn common_columns_must_be_everywhere_and_of_one_type() {
        let inputs = [
            stream("a", &[("id", DataType::Text), ("n", DataType::Bigint), ("only", DataType::Text)]),
            stream("b", &[("n", DataType::Double), ("ID", DataType::Text)]),
        ];
        let (kept, problems) = with("keep = ['id']", |o| keep_common(o, &inputs, false));
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(kept.unwrap()[0].from, vec![Some(0), Some(1)]);
        let (kept, problems) = with("keep = ['n', 'only']", |o| keep_common(o, &inputs, false));
        assert_eq!((kept, problems.len()), (None, 2));
        assert!(problems[0].contains("bigint") && problems[0].contains("double"), "{problems:?}");
        assert!(problems[1].contains("no column of `b`"), "{problems:?}");
        let (kept, problems) = with("keep = ['only']", |o| keep_common(o, &inputs, true));
        assert_eq!(problems, Vec::<String>::new());
        let kept = kept.unwrap();
        assert_eq!((kept[0].column.nullable, &kept[0].from), (true, &vec![Some(2), None]));
    }
}
