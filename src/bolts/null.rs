//! `null`: counts rows and forgets them; for measuring what comes before it.

use super::{Align, Gather, Share, TextTable};
use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ComponentError, Flow, Inputs, OptionSpec, OutputStream,
    Sections, Step,
};
use crate::tuple::Frame;
use serde_json::json;

/// The kind `null`.
pub struct Null;

impl BoltFactory for Null {
    fn kind(&self) -> &'static str {
        "null"
    }

    fn elsewhere(&self) -> &'static [&'static str] {
        &["blackhole", "discard"]
    }

    fn doc(&self) -> &'static str {
        "counts rows and forgets them"
    }

    fn notes(&self) -> Vec<String> {
        vec!["It is a sink: for measuring, and for streams that nobody needs.".to_owned()]
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[bolts.out]
kind = "null"
from = "payments"

[latency]
out = "p99 < 10s"
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        &[]
    }

    fn inputs(&self) -> Inputs {
        Inputs::Separate
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let streams = check.inputs.iter().map(|i| i.name.clone()).collect();
        Some(Box::new(Plan { streams, gather: Gather::default() }))
    }
}

struct Plan {
    streams: Vec<String>,
    gather: Gather<Vec<u64>>,
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &[]
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        Ok(Box::new(Counting {
            name: build.name.to_owned(),
            streams: self.streams.clone(),
            rows: vec![0; self.streams.len()],
            share: self.gather.join(build.task, build.tasks),
        }))
    }
}

struct Counting {
    name: String,
    streams: Vec<String>,
    rows: Vec<u64>,
    share: Share<Vec<u64>>,
}

impl Bolt for Counting {
    #[inline]
    fn step(&mut self, input: usize, _frame: &mut Frame, _step: &mut Step<'_>) -> Flow {
        self.rows[input] += 1;
        Flow::Skip
    }

    fn finish(&mut self, sections: &mut Sections) -> Result<(), ComponentError> {
        let Some(parts) = self.share.put(std::mem::take(&mut self.rows)) else { return Ok(()) };
        let mut table = TextTable::new([("stream", Align::Left), ("rows", Align::Right)]);
        let mut counts = serde_json::Map::new();
        for (at, stream) in self.streams.iter().enumerate() {
            let rows: u64 = parts.iter().filter_map(|part| part.get(at)).sum();
            table.row([stream, &rows.to_string()]);
            counts.insert(stream.clone(), rows.into());
        }
        sections.sections.push((format!("rows of {}", self.name), table.render(), json!({ "rows": counts })));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bolts::rig::Rig;
    use crate::tuple::{DataType, Value};

    #[test]
    fn rows_are_counted_by_stream() {
        let columns: &[(&str, DataType)] = &[("n", DataType::Bigint)];
        let mut driver = Rig::new(&[("a", columns), ("b", columns)]).driver(&Null, "");
        for input in [0, 1, 1] {
            assert_eq!(driver.feed(input, 0, &[Value::Bigint(1)]), Vec::<String>::new());
        }
        assert_eq!(driver.finish().unwrap()[0].2, json!({ "rows": { "a": 1, "b": 2 } }));
    }
}
