use super::direct::Direct;
use super::journal::Journaled;
use super::server::Limits;
use super::*;
use crate::component::{Intake, Polled, Reject};
use crate::decoder::fixture::{self, slots, table};
use crate::expr::Environment;
use crate::log::{Log, Reader};
use crate::problem::{Problems, Span};
use crate::tuple::{Run, Slot, Value};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const NUMBERS: &str = "format = \"json\"\nfields.n = \"bigint not null\"\n";
const MILLI: u64 = 1_000_000;

fn limits() -> Limits {
    Limits { connections: 100, line: 64, idle_ns: None, busy: false, header: false, answers: false }
}

fn server(limits: Limits) -> (Server, SocketAddr) {
    let server = Server::listen("127.0.0.1:0".parse().unwrap(), limits).unwrap();
    let address = server.address().unwrap();
    (server, address)
}

/// A spout that is polled by hand, at times that the test says.
struct Polling {
    spout: Box<dyn Spout>,
    columns: Vec<Column>,
    slots: Vec<Slot>,
    run: Run,
    rows: Vec<Value>,
    positions: Vec<u64>,
    rejects: Vec<Reject>,
    now: u64,
    ended: bool,
}

impl Polling {
    fn new(columns: &[Column], open: impl FnOnce(&[Slot]) -> Box<dyn Spout>) -> Polling {
        let (layout, slots) = slots(columns);
        Polling {
            spout: open(&slots),
            columns: columns.to_vec(),
            slots,
            run: Run::new(layout),
            rows: Vec::new(),
            positions: Vec::new(),
            rejects: Vec::new(),
            now: 0,
            ended: false,
        }
    }

    fn poll(&mut self) {
        self.run.clear();
        self.now += MILLI;
        let mut intake = Intake { run: &mut self.run, rejects: &mut self.rejects, now: self.now, wall: 7 };
        self.ended = matches!(self.spout.poll(&mut intake).unwrap(), Polled::End);
        for frame in (0..self.run.len()).map(|n| self.run.frame(n)) {
            self.rows.push(Value::from_slot(frame, self.slots[0], self.columns[0].ty));
            self.positions.push(frame.position());
            assert!(frame.due() <= self.now);
        }
    }

    /// Polls until something holds.
    fn until(&mut self, what: &str, mut holds: impl FnMut(&Polling) -> bool) {
        let start = Instant::now();
        while !holds(self) {
            assert!(start.elapsed() < Duration::from_secs(30), "in vain: {what}; {:?} {:?}", self.rows, self.rejects);
            self.poll();
        }
    }

    fn reasons(&self) -> Vec<(&str, &str)> {
        self.rejects.iter().map(|r| (r.reason, r.record.as_str())).collect()
    }

    fn counts(&mut self) -> serde_json::Value {
        let mut sections = crate::component::Sections::default();
        self.spout.finish(&mut sections);
        sections.sections.remove(0).2
    }
}

fn build(slots: &[Slot], position: u64) -> SpoutBuild<'_> {
    let identity = if position > 0 { "live" } else { "" };
    SpoutBuild { name: "s", split: "0", split_id: 0, position, identity, columns: slots, space: None }
}

fn direct(text: &str, limits: Limits, position: u64) -> (Polling, SocketAddr) {
    let plan = fixture::plan(text).unwrap();
    let (server, address) = server(limits);
    let open = |slots: &[Slot]| Box::new(Direct::open(server, limits, &plan, &build(slots, position)).unwrap()) as _;
    (Polling::new(plan.columns(), open), address)
}

fn numbers(range: std::ops::Range<i64>) -> Vec<Value> {
    range.map(Value::Bigint).collect()
}

fn send(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

#[test]
fn whatever_a_client_sends_is_a_tuple_an_error_or_a_count() {
    for busy in [false, true] {
        let (mut polling, address) = direct(NUMBERS, Limits { busy, ..limits() }, 0);
        let long = "x".repeat(65);
        let text = format!(
            "{{\"n\":0}}\r\n\n{{\"n\":\"a\"}}\nrubbish\n\u{0}\n{long}\n{{\"n\":1}}\n{long}{long}\n{{\"n\":2}}\n"
        );
        let mut first = send(address, text.as_bytes());
        polling.until("three rows", |p| p.rows.len() == 3);
        assert_eq!(polling.rows, numbers(0..3));
        let reasons: Vec<_> = polling.rejects.iter().map(|r| r.reason).collect();
        assert_eq!(reasons.iter().filter(|r| **r == "too_long").count(), 2, "{reasons:?}");
        assert_eq!(reasons.len(), 5, "{reasons:?}");
        // Each line has a place of its own, in order.
        let mut places: Vec<u64> =
            polling.positions.iter().copied().chain(polling.rejects.iter().map(|r| r.position)).collect();
        places.sort_unstable();
        assert_eq!(places, [0, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(polling.spout.position(), 9);
        // A line in pieces, then half of one.
        first.write_all(b"{\"n\"").unwrap();
        polling.poll();
        first.write_all(b":3}\n{\"n\":4").unwrap();
        polling.until("the fourth row", |p| p.rows.len() == 4);
        drop(first);
        polling.until("the half line", |p| p.rejects.len() == 6);
        assert_eq!(polling.reasons()[5], ("cut", "{\"n\":4"));
        // One without an end is cut at the limit, and forgotten.
        let mut endless = TcpStream::connect(address).unwrap();
        for _ in 0..1000 {
            endless.write_all(long.as_bytes()).unwrap();
        }
        polling.until("the line without an end", |p| p.rejects.len() == 7);
        endless.write_all(b"\n{\"n\":4}\n").unwrap();
        polling.until("what follows it", |p| p.rows.len() == 5);
        drop((endless, TcpStream::connect(address).unwrap()));
        polling.until("all gone", |p| p.rejects.len() == 7);
        let counts = polling.counts();
        assert_eq!((&counts["too_long"], &counts["cut"], &counts["refused"]), (&3.into(), &1.into(), &0.into()));
    }
}

#[test]
fn too_many_are_refused_and_silent_or_slow_ones_time_out() {
    let limits = Limits { connections: 2, idle_ns: Some(50 * MILLI), ..limits() };
    let (mut polling, address) = direct(NUMBERS, limits, 0);
    let _silent = TcpStream::connect(address).unwrap();
    let slow = send(address, b"{\"n\":");
    polling.until("both are there", |p| p.now > 3 * MILLI);
    let mut third = TcpStream::connect(address).unwrap();
    let mut refused = false;
    third.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    polling.until("the third is sent away", |_| {
        refused = refused || !matches!(third.read(&mut [0]), Err(e) if e.kind() == std::io::ErrorKind::WouldBlock);
        refused
    });
    polling.until("the half line of the slow one", |p| p.rejects.len() == 1);
    assert!(polling.now > 50 * MILLI);
    assert_eq!(polling.reasons(), [("cut", "{\"n\":")]);
    assert!(polling.rejects[0].text.contains("did not end within `idle_timeout`"));
    let until = polling.now + 200 * MILLI;
    polling.until("everybody had a look", |p| p.now > until);
    let counts = polling.counts();
    assert_eq!((&counts["open"], &counts["timed_out"]), (&0.into(), &2.into()), "{counts}");
    assert!(counts["refused"] == 1 && counts["accepted"] == 2, "{counts}");
    drop(slow);
    // There is room again.
    let _fourth = send(address, b"{\"n\":0}\n");
    polling.until("a row", |p| p.rows == numbers(0..1));
}

#[test]
fn a_flood_of_one_client_does_not_keep_another_waiting() {
    let (mut polling, address) = direct(NUMBERS, limits(), 0);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut flood = TcpStream::connect(address).unwrap();
            let lines = "{\"n\":1}\n".repeat(10_000);
            // Relaxed: only asks whether to go on.
            while !over.load(Ordering::Relaxed) && flood.write_all(lines.as_bytes()).is_ok() {
                std::hint::spin_loop();
            }
        });
        polling.until("the flood", |p| p.rows.len() > 1000);
        let _other = send(address, b"{\"n\":2}\n");
        polling.until("the other", |p| p.rows.iter().rev().take(64).any(|n| *n == Value::Bigint(2)));
        over.store(true, Ordering::Relaxed);
        drop(polling);
    });
}

#[test]
fn a_stop_takes_what_was_received_and_cuts_what_is_not_whole() {
    let (mut polling, address) = direct(NUMBERS, limits(), 10);
    let lines: String = (0..5000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let clients = [send(address, lines.as_bytes()), send(address, b"{\"n\":5000}\n{\"n\"")];
    polling.until("both are there", |p| p.rows.contains(&Value::Bigint(5000)));
    assert!(polling.spout.drain());
    polling.until("the end", |p| p.ended);
    polling.rows.sort_by_key(|v| if let Value::Bigint(n) = v { *n } else { -1 });
    assert_eq!(polling.rows, numbers(0..5001));
    assert_eq!(polling.reasons(), [("cut", "{\"n\"")]);
    assert_eq!(polling.spout.position(), 10 + 5002);
    assert!(TcpStream::connect(address).is_err());
    drop(clients);
}

#[test]
fn a_header_is_left_out_of_each_connection_and_elements_have_places() {
    let csv = "format = \"csv\"\nheader = \"skip\"\ncolumns = [\"n\", \"m\"]\nfields.n = \"bigint not null\"\n";
    let plain = limits();
    let (mut polling, address) = direct(csv, Limits { header: true, ..plain }, 0);
    let clients = [send(address, b"n,m\n0,a\n"), send(address, b"n,m\n1,\"b,c\"\n2,\n")];
    polling.until("three rows", |p| p.rows.len() == 3);
    assert_eq!(polling.rejects, []);
    drop(clients);
    let each = format!("{NUMBERS}each = \"$[*]\"\npaths.n = \"@.n\"");
    let (mut polling, address) = direct(&each, Limits { line: 4096, ..plain }, 0);
    let rows: Vec<String> = (0..150).map(|n| format!("{{\"n\":{n}}}")).collect();
    let _client = send(address, format!("[]\n[{}]\n[{{\"n\":150}}]\n", rows.join(",")).as_bytes());
    polling.until("all elements", |p| p.rows.len() == 151);
    assert_eq!(polling.rows, numbers(0..151));
    assert!(polling.positions.is_sorted() && polling.positions[0] >> 24 == 1 && polling.positions[150] >> 24 == 2);
}

/// A data directory of its own that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("sferic-tcp-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Folder(path)
    }

    fn reader(&self) -> Reader {
        Log::in_dir(&self.0).topic("live").unwrap().reader(0, Start::Earliest).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn journaled(folder: &Folder, fsync: Fsync, answers: bool, position: u64) -> (Polling, SocketAddr) {
    let limits = Limits { answers, ..limits() };
    let decoder = fixture::plan(NUMBERS).unwrap();
    let columns = decoder.columns().to_vec();
    let (name, data_dir, topic) = ("s".to_owned(), Some(folder.0.clone()), "live".to_owned());
    let log = LogPlan {
        name,
        files: std::sync::Arc::new(crate::files::DiskFiles),
        data_dir,
        topic,
        start: Start::Earliest,
        until_end: false,
        decoder,
    };
    let plan = JournalPlan { log, fsync, retention: Retention::default() };
    let (server, address) = server(limits);
    let open = |slots: &[Slot]| {
        let build = build(slots, position);
        Box::new(Journaled::open(server, limits, plan.open(&build).unwrap(), &build)) as _
    };
    (Polling::new(&columns, open), address)
}

#[test]
fn a_journal_keeps_lines_answers_them_in_order_and_is_read_on_after_a_restart() {
    for fsync in [Fsync::Always, Fsync::Every(MILLI), Fsync::Never] {
        let folder = Folder::new(&format!("{fsync:?}").replace(['(', ')'], ""));
        let answers = fsync != Fsync::Never;
        let (mut polling, address) = journaled(&folder, fsync, answers, 0);
        let long = "y".repeat(70);
        let mut client = send(address, format!("{{\"n\":0}}\nrubbish\n{long}\n{{\"n\":1}}\n").as_bytes());
        client.shutdown(Shutdown::Write).unwrap();
        polling.until("two rows and two errors", |p| p.rows.len() == 2 && p.rejects.len() == 2);
        assert_eq!((&polling.rows, &polling.positions[..]), (&numbers(0..2), &[0, 2][..]));
        if answers {
            // The connection stays until its answers are sent, then it goes.
            let mut said = String::new();
            client.set_nonblocking(true).unwrap();
            polling.until("all answers", |_| client.read_to_string(&mut said).is_ok());
            assert_eq!(said, "OK 0\nOK 1\nERROR the line is too long\nOK 2\n");
        }
        let position = polling.spout.position();
        assert_eq!((position, polling.spout.identity()), (3, "live".to_owned()));
        // What came behind the last commit is there after a crash, and comes first.
        let _other = send(address, b"{\"n\":2}\n{\"n\":3}\n");
        polling.until("two more", |p| p.rows.len() == 4);
        drop(polling);
        let (mut polling, address) = journaled(&folder, fsync, answers, position);
        let _client = send(address, b"{\"n\":4}\n");
        polling.until("the backlog and a new one", |p| p.rows.len() == 3);
        assert_eq!((&polling.rows, &polling.positions[..]), (&numbers(2..5), &[3, 4, 5][..]));
        let mut reader = folder.reader();
        assert_eq!(reader.next_record().unwrap().unwrap().value, b"{\"n\":0}");
        assert_eq!(reader.end().unwrap(), 6);
        let _last = send(address, b"{\"n\":5}\n{");
        polling.until("it was received", |p| p.rows.len() == 4);
        assert!(polling.spout.drain());
        polling.until("the end", |p| p.ended);
        assert_eq!(polling.reasons(), [("cut", "{")]);
    }
}

#[test]
fn nothing_is_seen_or_answered_before_it_is_durable_where_that_is_asked_for() {
    let folder = Folder::new("order");
    let (mut polling, address) = journaled(&folder, Fsync::Always, true, 0);
    let mut reader = folder.reader();
    let mut client = send(address, b"{\"n\":0}\n");
    client.set_nonblocking(true).unwrap();
    let mut said = Vec::new();
    polling.until("an answer", |p| {
        let _ = client.read_to_end(&mut said);
        // A row is read behind the visible end only, and that is durable.
        assert!(p.rows.len() as u64 <= reader.end().unwrap());
        said == b"OK 0\n"
    });
    polling.until("the row", |p| p.rows.len() == 1);
}

fn check(text: &str) -> (Option<Box<dyn SpoutPlan>>, String) {
    let (table, problems) = (table(text), Problems::new());
    let environment = Environment::default();
    let options = Options { component: "spouts.s", span: Span::default(), table: &table, problems: &problems };
    let check = SpoutCheck { name: "s", options, environment: &environment, folder: Path::new("."), data_dir: None };
    let plan = TcpFactory.check(&check);
    (plan, problems.into_sorted().into_iter().map(|p| p.message + "\n").collect())
}

#[test]
fn what_cannot_be_is_said_before_anything_listens() {
    let good = format!("address = \"127.0.0.1:0\"\n{NUMBERS}");
    for (more, said) in [
        ("fsync = \"1s\"", "`fsync` of `spouts.s` has no meaning without `journal`"),
        ("ack = true", "`ack` of `spouts.s` has no meaning without `journal`"),
        ("journal = \"t\"\nfsync = \"soon\"", "`fsync` of `spouts.s` must be \"always\", \"never\" or a time"),
        ("journal = \"t\"\nfsync = \"never\"\nack = true", "says that a line is durable, which `fsync` makes none"),
        ("journal = \"t\"\nmax_record = \"17MiB\"", "at most \"16MiB\" with a journal"),
        ("max_connections = 0", "a whole number of at least 1"),
    ] {
        let (_, found) = check(&format!("{good}{more}"));
        assert!(found.contains(said), "{more}: {found}");
    }
    assert!(check(&good.replace("127.0.0.1:0", "localhost")).1.contains("an IP address and a port"));
    let csv = "address = \"[::1]:0\"\nformat = \"csv\"\nfields.n = \"bigint\"\n";
    assert!(check(csv).1.contains("lines of connections have no header that `spouts.s` could use"));
    assert!(check(&format!("{csv}header = \"use\"")).1.contains("have no header"));
    let (plan, found) = check(&format!("{csv}header = \"skip\""));
    assert_eq!(found, "");
    let plan = plan.unwrap();
    assert!(!plan.finite() && plan.describe()[1].starts_with("not replayable"));
    // A port that is taken, and a journal without a place, are errors at the start.
    let (_server, address) = server(limits());
    let open = |text: &str| {
        let plan = check(text).0.unwrap();
        let (_, slots) = slots(plan.columns());
        plan.open(&build(&slots, 0)).err().unwrap().message
    };
    let said = open(&good.replace("127.0.0.1:0", &address.to_string()));
    assert!(said.contains("cannot listen on") && said.contains("choose another `address`"), "{said}");
    let said = open(&format!("{good}journal = \"live\""));
    assert!(said.contains("there is no data directory"), "{said}");
}
