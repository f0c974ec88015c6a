//! Kind `stdin`: records of standard input.
//!
//! A thread of its own reads, because a read may wait for ever and executors may not. Standard input cannot be read
//! again: after a restart positions go on where they were, with what is then written to it.

use super::blocks::Blocks;
use super::joined;
use super::records::{Origin, Records, check_pace};
use crate::component::{ComponentError, OptionSpec, SplitName, SpoutBuild, SpoutCheck, SpoutFactory, SpoutPlan};
use crate::decoder::{DecoderCheck, DecoderPlan, Feed, Pace, RECORD_OPTIONS};
use std::io;

const OWN: [OptionSpec; 2] = [
    OptionSpec::optional(
        "pace",
        "\"max\" (default), a rate such as \"10000/s\", or a multiple of event time such as \"60x\"",
    ),
    OptionSpec::optional("limit", "read at most so many rows"),
];
static OPTIONS: [OptionSpec; 19] = joined(&OWN, &RECORD_OPTIONS);

/// The kind `stdin`.
pub struct StdinFactory;

impl SpoutFactory for StdinFactory {
    fn kind(&self) -> &'static str {
        "stdin"
    }

    fn doc(&self) -> &'static str {
        "reads records from standard input until it is closed"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "Everything else is as in the spout `file`: `sferic reference spouts.file`.".to_owned(),
            "It cannot be read again: what was read and is in no commit when the process dies is lost, and the next run goes \
             on with what is written to it then. To lose nothing, keep the lines in a topic first, `feed | sferic log append \
             TOPIC`, and read that with the spout `log`."
                .to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"# echo '{"car": "a", "speed": {"kmh": 51.5}, "at": "2024-01-01T00:00:00Z"}' | sferic run FILE
[spouts.readings]
kind   = "stdin"
format = "json"
time   = "at"
fields.car       = "text not null"
fields.at        = "timestamp not null"
fields.speed_kmh = "double"
paths.speed_kmh  = "$.speed.kmh"

[bolts.out]
kind = "console"
from = "readings"
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        &OPTIONS
    }

    fn check(&self, check: &SpoutCheck<'_>) -> Option<Box<dyn SpoutPlan>> {
        let options = &check.options;
        let pace = Pace::of(options);
        let limit = options.integer("limit", 1).map(|n| n as u64);
        let decoder =
            DecoderCheck { name: check.name, options: *options, environment: check.environment, header: &|_| None };
        let decoder = DecoderPlan::check(&decoder)?;
        check_pace(options, &pace, decoder.time());
        Some(Box::new(Records { origin: Stdin, decoder, pace, limit }))
    }
}

/// Standard input.
struct Stdin;

impl Origin for Stdin {
    fn finite(&self) -> bool {
        true
    }

    fn splits(&self) -> Result<Vec<SplitName>, ComponentError> {
        Ok(vec!["stdin".to_owned()])
    }

    fn open(&self, plan: &Records<Stdin>, build: &SpoutBuild<'_>) -> Result<Feed, ComponentError> {
        let source = Blocks::spawn("standard input", io::stdin(), 0, false)?;
        let decoder = plan.decoder.decoder(build.columns, build.split, build.split_id);
        let mut feed = Feed::new(build.split, Box::new(source), build.position, decoder, plan.pace.clone());
        if let Some(limit) = plan.limit {
            feed.limit(limit);
        }
        Ok(feed)
    }
}
