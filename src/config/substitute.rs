//! Substitution: `"$name"` as a whole value becomes the parameter, `${ENV}` and `${ENV:-default}` the variable.
//!
//! Neither happens inside expressions, regular expressions, patterns and tests: everything below the keys of
//! [`VERBATIM`] stays as it is.

use super::model::Model;
use crate::component::{Node, NodeValue, Table, TextNode};
use crate::problem::{Problem, Problems, nearest};

/// Keys whose values are expressions or have a use for `$` of their own.
pub const VERBATIM: [&str; 14] = [
    "where", "having", "add", "define", "when", "score", "reason", "each", "order_by", "task", "pattern", "regex",
    "paths", "if",
];

/// Substitutes in a whole model.
pub struct Substitution<'a> {
    /// Looks up a variable of the environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Where problems go.
    pub problems: &'a Problems,
}

impl Substitution<'_> {
    /// Substitutes in parameters first, then everywhere else but in tests.
    pub fn apply(&self, model: &mut Model) {
        for (_, node) in &mut model.params {
            self.node(node, &[]);
        }
        let params: Vec<(String, Node)> = model.params.iter().map(|(k, n)| (k.name.clone(), n.clone())).collect();
        let Model { schemas, tables, spouts, bolts, runtime, latency, .. } = model;
        for item in schemas.iter_mut().chain(tables).chain(spouts).chain(bolts) {
            self.table(&mut item.table, &params);
        }
        if let Some((_, table)) = runtime {
            self.table(table, &params);
        }
        latency.iter_mut().for_each(|(_, node)| self.node(node, &params));
    }

    fn table(&self, table: &mut Table, params: &[(String, Node)]) {
        for (key, node) in &mut table.entries {
            if !VERBATIM.contains(&key.name.as_str()) {
                self.node(node, params);
            }
        }
    }

    fn node(&self, node: &mut Node, params: &[(String, Node)]) {
        match &mut node.value {
            NodeValue::Table(table) => self.table(table, params),
            NodeValue::Array(items) => items.iter_mut().for_each(|n| self.node(n, params)),
            NodeValue::Text(text) => {
                let whole = text.text.strip_prefix('$').filter(|name| is_name(name)).map(str::to_owned);
                if let Some(name) = whole {
                    self.param(node, &name, params);
                } else if text.text.contains("${") {
                    let replaced = self.variables(node);
                    node.value = NodeValue::Text(TextNode { text: replaced, start: None });
                }
            }
            _ => {}
        }
    }

    fn param(&self, node: &mut Node, name: &str, params: &[(String, Node)]) {
        match params.iter().find(|(known, _)| known == name) {
            Some((_, param)) => {
                node.value = match &param.value {
                    NodeValue::Text(text) => NodeValue::Text(TextNode { text: text.text.clone(), start: None }),
                    other => other.clone(),
                };
            }
            None => {
                let names = params.iter().map(|(n, _)| n.as_str());
                let mut problem = Problem::error(format!("there is no parameter `{name}`")).at(node.span);
                if let Some(near) = nearest(name, names) {
                    problem = problem.label(format!("did you mean `${near}`?"));
                }
                self.problems.push(problem.hint("parameters are declared in [params]"));
            }
        }
    }

    fn variables(&self, node: &Node) -> String {
        let text = node.as_text().unwrap_or_default();
        let (mut out, mut rest) = (String::new(), text);
        while let Some(at) = rest.find("${") {
            out.push_str(&rest[..at]);
            let Some(end) = rest[at..].find('}') else {
                self.problems.push(Problem::error("`${` without its `}`").at(node.span));
                return text.to_owned();
            };
            let inner = &rest[at + 2..at + end];
            let (name, default) = match inner.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inner, None),
            };
            match (self.env)(name).filter(|v| !v.is_empty()).or_else(|| default.map(str::to_owned)) {
                Some(value) => out.push_str(&value),
                None => self.problems.push(
                    Problem::error(format!("the environment variable {name} is not set"))
                        .at(node.span)
                        .hint(format!("set it, or give a default: ${{{name}:-default}}")),
                ),
            }
            rest = &rest[at + end + 1..];
        }
        out.push_str(rest);
        out
    }
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
