use super::*;
use crate::bolts::rig::Rig;
use crate::tuple::{Arena, DataType, Layout, Run, Value};
use std::sync::{Arc, Mutex};

/// A writer whose reader goes away, or whose disk is full, after some bytes.
#[derive(Clone)]
struct Out {
    text: Arc<Mutex<String>>,
    room: usize,
    then: io::ErrorKind,
}

impl Out {
    fn new(room: usize, then: io::ErrorKind) -> Out {
        Out { text: Arc::default(), room, then }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = self.text.lock().unwrap();
        if text.len() + bytes.len() > self.room {
            return Err(self.then.into());
        }
        text.push_str(std::str::from_utf8(bytes).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Bench {
    showing: Showing<Out>,
    slots: Vec<Vec<Slot>>,
    layout: Layout,
}

/// Streams `a` (id text) and `hits` (id text, n bigint).
fn bench(format: Format, limit: u64, streams: usize, out: Out) -> Bench {
    let all = [
        ("a".to_owned(), vec![Column::new("id", DataType::Text)]),
        ("hits".to_owned(), vec![Column::new("id", DataType::Text), Column::new("n", DataType::Bigint)]),
    ];
    let plan = Plan { format, limit, streams: all[2 - streams..].to_vec() };
    let layout = Layout::new(3);
    let slots: Vec<Vec<Slot>> = [vec![layout.slot(0)], vec![layout.slot(1), layout.slot(2)]][2 - streams..].to_vec();
    let build = BoltBuild {
        name: "show",
        inputs: &slots,
        outputs: &[],
        scratch: &[],
        key: &[],
        task: 0,
        tasks: 1,
        space: None,
    };
    let showing = plan.task(&build, out);
    Bench { showing, slots, layout }
}

impl Bench {
    fn feed(&mut self, input: usize, values: &[Value]) {
        let mut run = Run::new(self.layout);
        let arena = Arena::new();
        let (frame, _) = run.push();
        frame.set_time(1_704_067_240_000_000);
        for (slot, value) in self.slots[input].iter().zip(values) {
            value.put(frame, *slot, &arena);
        }
        let (mut failure, mut deadline) = (None, i64::MAX);
        let mut step = Step { index: 0, watermark: 0, arena: &arena, failure: &mut failure, deadline: &mut deadline };
        assert_eq!(self.showing.step(input, frame, &mut step), Flow::Skip);
    }

    fn finish(&mut self) -> (String, serde_json::Value) {
        let mut sections = Sections::default();
        self.showing.finish(&mut sections).unwrap();
        let (_, text, value) = sections.sections.remove(0);
        (text, value)
    }
}

fn text(t: &str) -> Value {
    Value::Text(t.to_owned())
}

#[test]
fn each_format_has_its_line() {
    for (format, streams, expected) in [
        (Format::Text, 2, "2024-01-01T00:00:40Z a    id=x\n2024-01-01T00:00:40Z hits id=\"y z\" n=7\n"),
        (Format::Json, 2, "{\"_from\":\"a\",\"id\":\"x\"}\n{\"_from\":\"hits\",\"id\":\"y z\",\"n\":7}\n"),
        (Format::Json, 1, "{\"id\":\"y z\",\"n\":7}\n"),
        (Format::Csv, 1, "id,n\ny z,7\n"),
    ] {
        let out = Out::new(usize::MAX, io::ErrorKind::Other);
        let mut bench = bench(format, u64::MAX, streams, out.clone());
        if streams == 2 {
            bench.feed(0, &[text("x")]);
        }
        bench.feed(streams - 1, &[text("y z"), Value::Bigint(7)]);
        assert_eq!(*out.text.lock().unwrap(), "");
        bench.showing.idle().unwrap();
        assert_eq!(*out.text.lock().unwrap(), expected);
    }
}

#[test]
fn rows_beyond_the_limit_are_counted() {
    let out = Out::new(usize::MAX, io::ErrorKind::Other);
    let mut bench = bench(Format::Csv, 2, 1, out.clone());
    for n in 0..5 {
        bench.feed(0, &[text("x"), Value::Bigint(n)]);
    }
    assert_eq!(bench.finish().1, json!({ "rows": 5, "shown": 2, "closed": false }));
    assert_eq!(*out.text.lock().unwrap(), "id,n\nx,0\nx,1\n");
}

#[test]
fn a_closed_reader_ends_the_showing_not_the_topology() {
    let out = Out::new(12, io::ErrorKind::BrokenPipe);
    let mut bench = bench(Format::Csv, u64::MAX, 1, out);
    for n in 0..3 {
        bench.feed(0, &[text("x"), Value::Bigint(n)]);
        bench.showing.idle().unwrap();
    }
    let (text, value) = bench.finish();
    assert_eq!(value, json!({ "rows": 3, "shown": 1, "closed": true }));
    assert!(text.contains("closed by its reader"), "{text}");
}

#[test]
fn another_failure_is_an_error() {
    let mut bench = bench(Format::Text, u64::MAX, 1, Out::new(0, io::ErrorKind::StorageFull));
    bench.feed(0, &[text("x"), Value::Null]);
    assert!(bench.showing.idle().is_err());
    assert!(bench.showing.finish(&mut Sections::default()).is_err());
}

#[test]
fn csv_of_unlike_streams_is_a_problem() {
    let rig = Rig::new(&[("a", &[("x", DataType::Text)]), ("b", &[("y", DataType::Text)])]);
    assert_eq!(rig.problems(&Console, ""), Vec::<String>::new());
    assert!(rig.problems(&Console, "format = 'csv'")[0].contains("one header"));
    assert!(rig.problems(&Console, "format = 'jsn'\nlimit = -1").len() == 2);
}
