//! `ttl`: how long keyed state is kept after its key was last seen.

use crate::component::Options;

/// State that is never freed.
pub const FOREVER: i64 = i64::MAX;

/// `ttl` in microseconds of event time, [`FOREVER`] for `"never"`. None where it is absent or wrong; in the second case
/// a problem has been recorded.
pub fn ttl(options: &Options<'_>) -> Option<i64> {
    match options.node("ttl")?.as_text() {
        Some("never") => Some(FOREVER),
        _ => options.duration("ttl"),
    }
}
