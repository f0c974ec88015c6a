//! What the report says of state, epochs and timers.

use super::durable::Committed;
use crate::dead::Desk;
use crate::executor::Snapshot;
use crate::latency::{Recorder, SectionReport, count_text, nanos_text};
use crate::store::LifeMeter;
use serde_json::json;

/// The section on state, with so much memory for it.
pub fn state(snapshots: &[Snapshot], committed: &Committed, memory_bytes: u64) -> SectionReport {
    let mut life = LifeMeter::default();
    for (_, meter) in snapshots.iter().flat_map(|s| &s.states) {
        life.uses += meter.uses;
        life.loads += meter.loads;
        life.absent += meter.absent;
        life.evictions += meter.evictions;
        life.written += meter.written;
        life.load_ns += meter.load_ns;
        life.used_bytes += meter.used_bytes;
        life.entries += meter.entries;
    }
    let mut barriers = Recorder::default();
    snapshots.iter().for_each(|s| barriers.merge(&s.barriers));
    let barrier = barriers.summary();
    let Committed { meter, store, epoch, undurable_bytes } = committed;
    // A new key is not in the store either: nothing was missed.
    let hit_rate = if life.uses == 0 { 1.0 } else { 1.0 - life.loads as f64 / life.uses.max(life.loads) as f64 };
    let load_ns = life.load_ns.checked_div(life.loads).unwrap_or(0);
    let given = meter.batch_bytes + meter.chunk_bytes;
    let amplification = if given == 0 { 0.0 } else { store.written_bytes as f64 / given as f64 };
    let (flow, write) = (meter.flow.summary(), meter.write.summary());
    let mut text = String::new();
    let mut line = |name: &str, what: String| text.push_str(&format!("{name:<10} {what}\n"));
    line(
        "in memory",
        format!(
            "{} keys, {} of {}; hit rate {:.2} %, {} read back at {} each, {} evicted",
            count_text(life.entries),
            bytes_text(life.used_bytes),
            bytes_text(memory_bytes),
            hit_rate * 100.0,
            count_text(life.loads),
            nanos_text(load_ns),
            count_text(life.evictions),
        ),
    );
    line(
        "epochs",
        format!(
            "{} to number {epoch}; from barrier to durable p50 {}, max {}; writing p50 {}, max {}; pause p50 {}, max {}",
            count_text(meter.epochs),
            nanos_text(flow.p50),
            nanos_text(flow.max),
            nanos_text(write.p50),
            nanos_text(write.max),
            nanos_text(barrier.p50),
            nanos_text(barrier.max),
        ),
    );
    line(
        "store",
        format!(
            "{} changes in {}, written {amplification:.1} times; stalled {}; {} on disk, {} of memory; {} not durable",
            count_text(meter.operations),
            bytes_text(given),
            nanos_text(store.stall_ns),
            bytes_text(store.disk_bytes),
            bytes_text(store.memory_bytes),
            bytes_text(*undurable_bytes),
        ),
    );
    let value = json!({
        "keys_in_memory": life.entries, "memory_used_bytes": life.used_bytes, "memory_bytes": memory_bytes,
        "uses": life.uses, "loads": life.loads, "load_ns_mean": load_ns, "absent": life.absent,
        "evictions": life.evictions, "hit_rate": hit_rate,
        "epochs": meter.epochs, "epoch": epoch, "flow": flow, "write": write, "pause": barrier,
        "operations": meter.operations, "batch_bytes": meter.batch_bytes, "chunk_bytes": meter.chunk_bytes,
        "write_amplification": amplification, "stall_ns": store.stall_ns, "disk_bytes": store.disk_bytes,
        "store_memory_bytes": store.memory_bytes, "undurable_bytes": undurable_bytes,
    });
    SectionReport { title: "state".to_owned(), text, value }
}

/// The section on timers: how long they waited from the instant at which time could pass their deadlines; none where none
/// has fired.
pub fn timers(snapshots: &[Snapshot]) -> Option<SectionReport> {
    let mut late = Recorder::default();
    snapshots.iter().for_each(|s| late.merge(&s.timers));
    let late = late.summary();
    (late.count > 0).then(|| SectionReport {
        title: "timers".to_owned(),
        text: format!(
            "{} fired, p50 {}, p99 {}, max {} after time could pass their deadlines\n",
            count_text(late.count),
            nanos_text(late.p50),
            nanos_text(late.p99),
            nanos_text(late.max),
        ),
        value: json!({ "fired": late.count, "late": late }),
    })
}

/// What the report says of dead letters; none if there were none.
pub fn dead_letters(desk: &Desk) -> Option<SectionReport> {
    let (counts, end) = desk.told();
    if counts.is_empty() {
        return None;
    }
    let mut text = String::new();
    for (component, reason, count) in &counts {
        text.push_str(&format!("{:>10} {component}: {reason}\n", count_text(*count)));
    }
    text.push_str(&format!("in topic {}, which ends at {end}\n", desk.topic()));
    let letters = counts
        .iter()
        .map(|(component, reason, count)| json!({ "component": component, "reason": reason, "count": count }));
    let value = json!({ "topic": desk.topic(), "end": end, "letters": letters.collect::<Vec<_>>() });
    Some(SectionReport { title: "dead letters".to_owned(), text, value })
}

/// Bytes as people read them.
fn bytes_text(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1000),
        10_000_000..10_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
