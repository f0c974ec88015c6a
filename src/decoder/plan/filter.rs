//! The `where` of what is read: a condition over the columns of the record and the added ones.

use super::Checking;
use crate::component::Node;
use crate::expr::{Entries, Expr, Scope, ScopeColumn};
use crate::tuple::{Column, DataType};

/// The condition, and where its columns stand in the decoder's own frame.
pub(super) struct Filter {
    pub(super) condition: Expr,
    pub(super) places: Vec<usize>,
    /// It reads added columns.
    pub(super) late: bool,
}

impl Filter {
    pub(super) fn reads(&self, candidate: usize) -> bool {
        self.condition.columns().iter().any(|c| self.places[*c] == candidate)
    }
}

impl<'a> Checking<'a, '_> {
    /// `where` sees the record's columns and the added ones; an added one hides a column of its name.
    pub(super) fn filter(&self, adds: Option<&(Vec<(&'a str, &'a Node)>, Entries)>) -> Option<Filter> {
        let stream = self.check.name;
        let raw = self.found.candidates.len();
        let added: Vec<Column> = match adds {
            Some((entries, checked)) => entries
                .iter()
                .zip(&checked.expressions)
                .map(|((name, _), e)| Column { name: (*name).to_owned(), ty: e.data_type(), nullable: e.nullable() })
                .collect(),
            None => Vec::new(),
        };
        let (mut columns, mut places) = (Vec::new(), Vec::new());
        for (place, candidate) in self.found.candidates.iter().enumerate() {
            if !added.iter().any(|a| a.is(&candidate.column.name)) {
                columns.push(ScopeColumn { stream, column: &candidate.column });
                places.push(place);
            }
        }
        for (entry, column) in added.iter().enumerate() {
            columns.push(ScopeColumn { stream, column });
            places.push(raw + entry);
        }
        let scope = Scope { columns: &columns, environment: self.check.environment };
        let condition = self.check.options.condition("where", &scope)?;
        let late = condition.columns().iter().any(|c| places[*c] >= raw);
        Some(Filter { condition, places, late })
    }

    /// `where` beside an `add` that is broken: what is wrong of it whatever was meant there.
    pub(super) fn filter_in_doubt(&self) {
        let known = self.scope_columns();
        let names = self.check.options.node("add").and_then(Node::as_table);
        let names = names.iter().flat_map(|table| &table.entries).map(|(key, _)| &*key.name);
        let hidden: Vec<&str> = names.collect();
        let added: Vec<Vec<Column>> = DataType::ALL
            .iter()
            .map(|ty| hidden.iter().map(|name| Column::new(*name, *ty)).collect())
            .chain([Vec::new()])
            .collect();
        let columns: Vec<Vec<ScopeColumn<'_>>> = added
            .iter()
            .map(|added| {
                let kept = known.iter().filter(|k| !hidden.iter().any(|name| k.column.is(name)) || added.is_empty());
                let kept = kept.map(|k| ScopeColumn { stream: k.stream, column: k.column });
                kept.chain(added.iter().map(|column| ScopeColumn { stream: self.check.name, column })).collect()
            })
            .collect();
        let scope = |columns| Scope { columns, environment: self.check.environment };
        let scopes: Vec<Scope<'_>> = columns.iter().map(|columns| scope(columns.as_slice())).collect();
        self.check.options.condition_in_doubt("where", &scopes);
    }
}
