//! The report as text: what happened and how fast first, then who did what.

use super::histogram::Summary;
use super::layout::{KEPT, Table, count_text, cut, duration_text, nanos_text, rate_text, share_text, wrap};
use super::report::{ComponentReport, LatencyReport, Report, total};
use super::{MIN_WINDOW_TUPLES, WINDOW_NS};

/// The narrowest page that is laid out; narrower ones get lines that are too long.
const NARROWEST: usize = 40;

impl Report {
    /// The report for people, in lines of at most `width` characters as far as its numbers allow.
    pub fn render(&self, width: usize) -> String {
        let width = width.max(NARROWEST);
        let mut out = String::new();
        self.head(width, &mut out);
        for part in [
            Report::sources,
            Report::latencies,
            Report::windows,
            Report::stalls,
            Report::objectives,
            Report::failures,
            Report::bolts,
            Report::side_streams,
            Report::joints,
            Report::threads,
            Report::books,
        ] {
            let before = out.len();
            out.push('\n');
            part(self, width, &mut out);
            if out.len() == before + 1 {
                out.truncate(before);
            }
        }
        for section in &self.sections {
            out.push_str(&format!("\n{}\n{}\n", section.title, section.text.trim_end()));
        }
        out
    }

    fn head(&self, width: usize, out: &mut String) {
        wrap("", &format!("{}: {} after {}", self.topology, self.ended, duration_text(self.elapsed_ns)), width, out);
        let mut facts = vec![format!("{} records", count_text(self.records()))];
        facts.push(rate_text(self.records(), self.elapsed_ns));
        facts.push(match self.errors() {
            0 => "no errors".to_owned(),
            1 => "1 error".to_owned(),
            n => format!("{} errors", count_text(n)),
        });
        let asked = self.sinks.iter().map(|s| s.verdicts.len()).sum::<usize>();
        match self.missed().count() {
            _ if asked == 0 => {}
            0 => facts.push("all objectives met".to_owned()),
            missed => facts.push(format!("{missed} of {asked} objectives MISSED")),
        }
        facts.retain(|fact| !fact.is_empty());
        wrap("", &facts.join(", "), width, out);
    }

    fn sources(&self, width: usize, out: &mut String) {
        let mut table = Table::new(&[
            ("in", KEPT),
            ("kind", 1),
            ("records", KEPT),
            ("tuples", 2),
            ("rate", KEPT),
            ("filtered", 3),
            ("refused", 3),
        ]);
        for spout in &self.spouts {
            table.row(vec![
                spout.id.clone(),
                spout.kind.clone(),
                count_text(spout.records),
                if spout.tuples == spout.records { String::new() } else { count_text(spout.tuples) },
                rate_text(spout.records, self.elapsed_ns),
                nonzero(spout.filtered),
                nonzero(total(&spout.errors)),
            ]);
        }
        table.print(width, out);
    }

    fn latencies(&self, width: usize, out: &mut String) {
        let mut table = Table::new(&[
            ("latency", KEPT),
            ("tuples", KEPT),
            ("p50", 5),
            ("p90", 2),
            ("p99", KEPT),
            ("p99.9", 4),
            ("p99.99", 1),
            ("max", 3),
        ]);
        for (id, latency) in self.measured() {
            let mut cells = vec![id.to_owned(), count_text(latency.all.count)];
            let s = &latency.all;
            cells.extend([s.p50, s.p90, s.p99, s.p999, s.p9999, s.max].map(|ns| timed(s, ns)));
            table.row(cells);
        }
        table.print(width, out);
    }

    fn windows(&self, width: usize, out: &mut String) {
        let mut table = Table::new(&[
            ("windows of 50 ms", KEPT),
            ("windows", 1),
            ("p50", 3),
            ("p99", KEPT),
            ("p99.9", 4),
            ("max", 2),
        ]);
        debug_assert_eq!(WINDOW_NS, 50_000_000);
        let mut left_out = 0;
        for (id, latency) in self.measured() {
            let w = &latency.windows;
            left_out += w.left_out;
            if w.counted == 0 {
                continue;
            }
            let figures = [w.p50, w.p99, w.p999, w.max];
            let mut median = vec![format!("{id}, half within"), count_text(w.counted)];
            median.extend(figures.map(|f| nanos_text(f.median)));
            table.row(median);
            let mut best = vec![format!("{id}, a tenth within"), String::new()];
            best.extend(figures.map(|f| nanos_text(f.p10)));
            table.row(best);
        }
        table.print(width, out);
        if left_out > 0 {
            let text =
                format!("{} windows with fewer than {MIN_WINDOW_TUPLES} tuples are left out", count_text(left_out));
            wrap("  ", &text, width, out);
        }
    }

    fn stalls(&self, width: usize, out: &mut String) {
        let Some(jitter) = &self.jitter else {
            return;
        };
        let gaps = &jitter.gaps;
        let text = if gaps.count == 0 {
            format!("none above 1 us in {}", duration_text(jitter.watched_ns))
        } else {
            format!(
                "{:.0} a second above 1 us, p50 {}, p99 {}, p99.9 {}, max {}; {} of the time",
                jitter.gaps_per_second(),
                nanos_text(gaps.p50),
                nanos_text(gaps.p99),
                nanos_text(gaps.p999),
                nanos_text(gaps.max),
                share_text(jitter.stolen_share),
            )
        };
        wrap("the machine's own stalls: ", &text, width, out);
    }

    fn objectives(&self, width: usize, out: &mut String) {
        if self.sinks.iter().any(|s| !s.verdicts.is_empty()) {
            out.push_str("objectives\n");
        }
        for sink in &self.sinks {
            for verdict in &sink.verdicts {
                let mark = if verdict.met { "  met     " } else { "  MISSED  " };
                let name = format!("{} {}", sink.id, verdict.objective);
                let found = match verdict.count {
                    0 => "no tuples".to_owned(),
                    n => format!(
                        "{}; {} of {} within",
                        nanos_text(verdict.measured_ns),
                        share_text(verdict.share_within),
                        count_text(n)
                    ),
                };
                wrap(mark, &format!("{name}: {found}"), width, out);
                if !verdict.blame.is_empty() {
                    wrap("          ", &verdict.blame, width, out);
                }
            }
        }
    }

    fn failures(&self, width: usize, out: &mut String) {
        let mut table = Table::new(&[("errors", KEPT), ("reason", KEPT), ("count", KEPT)]);
        let spouts = self.spouts.iter().map(|s| (&s.id, &s.errors));
        for (id, errors) in spouts.chain(self.components.iter().map(|c| (&c.id, &c.errors))) {
            for (reason, count) in errors {
                table.row(vec![id.clone(), reason.clone(), count_text(*count)]);
            }
        }
        table.print(width, out);
    }

    fn bolts(&self, width: usize, out: &mut String) {
        let mut table = Table::new(&[
            ("bolts", KEPT),
            ("kind", 7),
            ("tasks", 1),
            ("in", KEPT),
            ("filtered", 2),
            ("ended", 3),
            ("rows", 4),
            ("refused", 2),
            ("failed", 5),
            ("out", KEPT),
            ("time p50", 6),
            ("p99", 6),
        ]);
        for bolt in &self.components {
            let time = &bolt.service;
            table.row(vec![
                bolt.id.clone(),
                bolt.kind.clone(),
                if bolt.tasks > 1 { bolt.tasks.to_string() } else { String::new() },
                count_text(bolt.tuples_in),
                nonzero(bolt.filtered),
                nonzero(bolt.skipped),
                nonzero(bolt.rows),
                nonzero(bolt.refused),
                nonzero(bolt.failed()),
                if bolt.out.is_empty() { String::new() } else { count_text(bolt.tuples_out()) },
                timed(time, time.p50),
                timed(time, time.p99),
            ]);
        }
        table.print(width, out);
    }

    /// Streams of bolts that have more than one.
    fn side_streams(&self, width: usize, out: &mut String) {
        let mut table = Table::new(&[("streams", KEPT), ("tuples", KEPT)]);
        for bolt in self.components.iter().filter(|c| c.out.len() > 1) {
            for (stream, count) in &bolt.out {
                table.row(vec![stream.clone(), count_text(*count)]);
            }
        }
        table.print(width, out);
    }

    fn joints(&self, width: usize, out: &mut String) {
        let mut table = Table::new(&[
            ("channels", KEPT),
            ("tuples", KEPT),
            ("wait p50", 3),
            ("p99", KEPT),
            ("p99.9", 2),
            ("max", 1),
            ("times full", 4),
        ]);
        for channel in &self.channels {
            let mut cells = vec![format!("{} -> {}", channel.from, channel.to), count_text(channel.tuples)];
            let wait = &channel.wait;
            cells.extend([wait.p50, wait.p99, wait.p999, wait.max].map(|ns| timed(wait, ns)));
            cells.push(nonzero(channel.full));
            table.row(cells);
        }
        table.print(width, out);
    }

    fn threads(&self, width: usize, out: &mut String) {
        let mut table = Table::new(&[
            ("executors", KEPT),
            ("core", 4),
            ("wait", 1),
            ("busy", KEPT),
            ("steps", 2),
            ("longest step", 5),
            ("over 1 ms", 3),
        ]);
        for executor in &self.executors {
            table.row(vec![
                executor.index.to_string(),
                executor.core.map_or("-".to_owned(), |core| core.to_string()),
                executor.wait.clone(),
                share_text(executor.busy_share),
                count_text(executor.steps),
                nanos_text(executor.longest_step_ns),
                count_text(executor.stalls),
            ]);
        }
        table.print(width, out);
        let machine = &self.machine;
        if machine.cores > 0 {
            let cpu = if machine.cpu.is_empty() { "unknown processor" } else { &machine.cpu };
            let cores = if machine.cores == 1 { "1 core".to_owned() } else { format!("{} cores", machine.cores) };
            wrap("  ", &format!("on {cpu}, {cores}, clock {}", machine.clock), width, out);
        }
    }

    fn books(&self, width: usize, out: &mut String) {
        if self.components.is_empty() {
            return;
        }
        let wrong: Vec<&ComponentReport> = self.components.iter().filter(|c| !c.balances()).collect();
        if wrong.is_empty() {
            wrap("", "the books balance: every tuple of every bolt is accounted for", width, out);
            return;
        }
        out.push_str("the books DO NOT BALANCE\n");
        for bolt in wrong {
            let (came, accounted) = bolt.books();
            let text = format!(
                "{} tuples came in or were made there, {} are accounted for",
                count_text(came),
                count_text(accounted)
            );
            wrap(&format!("  {}: ", cut(&bolt.id, width / 2)), &text, width, out);
        }
    }

    /// All that has a latency: every tuple, then the sinks.
    fn measured(&self) -> impl Iterator<Item = (&str, &LatencyReport)> {
        let sinks = self.sinks.iter().map(|s| (s.id.as_str(), &s.latency));
        let decided = (self.decided.all.count > 0).then_some(("decided", &self.decided));
        decided.into_iter().chain(sinks)
    }
}

fn nonzero(count: u64) -> String {
    if count == 0 { String::new() } else { count_text(count) }
}

/// A time of a summary; nothing if it has none.
fn timed(summary: &Summary, nanos: u64) -> String {
    if summary.count == 0 { String::new() } else { nanos_text(nanos) }
}
