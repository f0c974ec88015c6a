//! The spouts that come with Sferic, one module each, and the list of them.

pub mod generate;

use crate::component::Registry;

/// Adds all spouts and the reader of reference tables.
pub fn register(registry: Registry) -> Registry {
    registry.spout(generate::Generate)
}
