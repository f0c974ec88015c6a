//! The JSON Schema of topology files, for editors.
//!
//! The keys of all kinds stand flat in one list with their descriptions, and `if kind = ... then propertyNames` narrows
//! them: so a misspelt key is named by the usual editor plug-ins, where `oneOf` over the kinds would only say that
//! nothing fits.

use super::check::{BOLT_KEYS, RUNTIME_OPTIONS, SPOUT_KEYS, TEST_OPTIONS};
use crate::component::{OptionSpec, Registry};
use serde_json::{Map, Value, json};

/// The schema of the kinds of a registry.
pub fn schema(registry: &Registry) -> Value {
    let spouts: Vec<_> = registry.spouts().map(|f| (f.kind(), f.doc(), f.options())).collect();
    let bolts: Vec<_> = registry.bolts().map(|f| (f.kind(), f.doc(), f.options())).collect();
    let table = registry.table_factory().map_or(&[][..], |f| f.options());
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A topology of Sferic",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "name": { "type": "string", "description": "name of the topology" },
            "include": { "description": "files that this one includes" },
            "params": { "type": "object", "description": "parameters: $name in expressions and values" },
            "schemas": { "type": "object", "description": "fields that several spouts share" },
            "runtime": plain(RUNTIME_OPTIONS),
            "tables": { "type": "object", "additionalProperties": plain(table) },
            "spouts": { "type": "object", "additionalProperties": component(&spouts, SPOUT_KEYS) },
            "bolts": { "type": "object", "additionalProperties": component(&bolts, BOLT_KEYS) },
            "latency": { "type": "object", "description": "objectives by sink: \"p99 < 500us\"" },
            "tests": { "type": "array", "items": plain(TEST_OPTIONS) },
        },
    })
}

type Kind = (&'static str, &'static str, &'static [OptionSpec]);

fn plain(options: &[OptionSpec]) -> Value {
    let properties: Map<String, Value> =
        options.iter().map(|o| (o.name.to_owned(), json!({ "description": o.doc }))).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn component(kinds: &[Kind], common: &[(&str, &str)]) -> Value {
    let mut properties = Map::new();
    for (name, doc) in common {
        properties.insert((*name).to_owned(), json!({ "description": doc }));
    }
    for option in kinds.iter().flat_map(|(_, _, options)| *options) {
        properties.entry(option.name.to_owned()).or_insert_with(|| json!({ "description": option.doc }));
    }
    let names: Vec<&str> = kinds.iter().map(|(kind, ..)| *kind).collect();
    let docs: Vec<String> = kinds.iter().map(|(kind, doc, _)| format!("{kind}: {doc}")).collect();
    properties.insert("kind".to_owned(), json!({ "enum": names, "description": docs.join("\n") }));
    let narrowed = kinds.iter().map(|(kind, _, options)| {
        let mut allowed: Vec<&str> = common.iter().map(|(name, _)| *name).collect();
        allowed.extend(options.iter().map(|o| o.name));
        json!({
            "if": { "properties": { "kind": { "const": kind } }, "required": ["kind"] },
            "then": { "propertyNames": { "enum": allowed } },
        })
    });
    json!({
        "type": "object",
        "required": ["kind"],
        "properties": properties,
        "allOf": narrowed.collect::<Vec<_>>(),
    })
}
