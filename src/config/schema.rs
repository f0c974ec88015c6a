//! The JSON Schema of topology files, for editors.
//!
//! The keys of all kinds stand flat in one list with their descriptions, and `if kind = ... then propertyNames` narrows
//! them: so a misspelt key is named by the usual editor plug-ins, where `oneOf` over the kinds would only say that
//! nothing fits.

use super::check::{BOLT_KEYS, RUNTIME_OPTIONS, SPOUT_KEYS, TEST_OPTIONS};
use super::load::SECTIONS;
use crate::component::{NestedOptions, OptionSpec, Registry};
use serde_json::{Map, Value, json};

/// The schema of the kinds of a registry.
pub fn schema(registry: &Registry) -> Value {
    let spouts: Vec<_> = registry.spouts().map(|f| (f.kind(), f.doc(), f.options(), f.nested())).collect();
    let bolts: Vec<_> = registry.bolts().map(|f| (f.kind(), f.doc(), f.options(), f.nested())).collect();
    let table = registry.table_factory().map_or(&[][..], |f| f.options());
    let mut sections = Map::new();
    for section in SECTIONS {
        let mut value = match section.name {
            "name" => json!({ "type": "string" }),
            "include" => json!({ "type": ["string", "array"], "items": { "type": "string" } }),
            "schemas" => json!({ "type": "object", "additionalProperties": { "type": "object" } }),
            "runtime" => plain(RUNTIME_OPTIONS),
            "tables" => json!({ "type": "object", "additionalProperties": with_doc(table) }),
            "spouts" => json!({ "type": "object", "additionalProperties": component(&spouts, SPOUT_KEYS) }),
            "bolts" => json!({ "type": "object", "additionalProperties": component(&bolts, BOLT_KEYS) }),
            "tests" => json!({ "type": "array", "items": plain(TEST_OPTIONS) }),
            _ => json!({ "type": "object" }),
        };
        value["description"] = section.doc.into();
        sections.insert(section.name.to_owned(), value);
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A topology of Sferic",
        "type": "object",
        "additionalProperties": false,
        "properties": sections,
    })
}

type Kind = (&'static str, &'static str, &'static [OptionSpec], &'static [NestedOptions]);

fn required(options: &[OptionSpec]) -> Vec<&'static str> {
    options.iter().filter(|o| o.required).map(|o| o.name).collect()
}

fn plain(options: &[OptionSpec]) -> Value {
    let properties: Map<String, Value> =
        options.iter().map(|o| (o.name.to_owned(), json!({ "description": o.doc }))).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": required(options),
        "properties": properties,
    })
}

/// A component without a kind, which may say what it is for.
fn with_doc(options: &[OptionSpec]) -> Value {
    let mut value = plain(options);
    value["properties"]["doc"] = json!({ "description": "what it is for" });
    value
}

fn component(kinds: &[Kind], common: &[(&str, &str)]) -> Value {
    let mut properties = Map::new();
    for (name, doc) in common {
        properties.insert((*name).to_owned(), json!({ "description": doc }));
    }
    for option in kinds.iter().flat_map(|(_, _, options, _)| *options) {
        properties
            .entry(option.name.to_owned())
            .or_insert_with(|| json!({ "description": description(kinds, option.name) }));
    }
    for table in kinds.iter().flat_map(|(.., nested)| *nested) {
        nest(&mut properties, table);
    }
    let names: Vec<&str> = kinds.iter().map(|(kind, ..)| *kind).collect();
    let docs: Vec<String> = kinds.iter().map(|(kind, doc, ..)| format!("{kind}: {doc}")).collect();
    properties.insert("kind".to_owned(), json!({ "enum": names, "description": docs.join("\n") }));
    let narrowed = kinds.iter().map(|(kind, _, options, _)| {
        let mut allowed: Vec<&str> = common.iter().map(|(name, _)| *name).collect();
        allowed.extend(options.iter().map(|o| o.name).filter(|name| common.iter().all(|(known, _)| known != name)));
        json!({
            "if": { "properties": { "kind": { "const": kind } }, "required": ["kind"] },
            "then": { "propertyNames": { "enum": allowed }, "required": required(options) },
        })
    });
    json!({
        "type": "object",
        "required": ["kind"],
        "properties": properties,
        "allOf": narrowed.collect::<Vec<_>>(),
    })
}

/// What a key means: once where all kinds that have it agree, else for each of them.
fn description(kinds: &[Kind], name: &str) -> String {
    let mut meanings: Vec<(Vec<&str>, &str)> = Vec::new();
    for (kind, _, options, _) in kinds {
        let Some(option) = options.iter().find(|o| o.name == name) else { continue };
        match meanings.iter_mut().find(|(_, doc)| *doc == option.doc) {
            Some((kinds, _)) => kinds.push(kind),
            None => meanings.push((vec![kind], option.doc)),
        }
    }
    match meanings.as_slice() {
        [(_, doc)] => (*doc).to_owned(),
        many => many.iter().map(|(kinds, doc)| format!("{}: {doc}", kinds.join(", "))).collect::<Vec<_>>().join("\n"),
    }
}

/// Adds the keys of a table inside a component. What stands there may also be a parameter, so no type is asked for.
fn nest(properties: &mut Map<String, Value>, table: &NestedOptions) {
    let mut inner = plain(table.options);
    if let Some(map) = inner.as_object_mut() {
        map.remove("type");
    }
    let (outer, named) = match table.table.split_once('.') {
        Some((outer, _)) => (outer, true),
        None => (table.table, false),
    };
    let Some(property) = properties.get_mut(outer).and_then(Value::as_object_mut) else { return };
    match (named, inner) {
        (true, inner) => drop(property.insert("additionalProperties".to_owned(), inner)),
        (false, Value::Object(inner)) => property.extend(inner),
        _ => {}
    }
}
