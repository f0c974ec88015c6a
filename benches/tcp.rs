//! From a line on a socket to its decision: a client of one thread sends lines over the loopback at a fixed rate, each
//! with the time at which it was meant to be sent; the sink of the topology says how old they are. The executor polls
//! its sockets (`busy`) on the last core, the client and everything else are on the others. Topics are in the
//! temporary folder of the system, or in `SFERIC_BENCH_DIR`. Parts alternate; the first tenth of each is left out.
//! `SFERIC_BENCH=tiny` makes everything small and judges no figure; each part checks its own result.

use hdrhistogram::Histogram;
use sferic::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ComponentError, Flow, OptionSpec, OutputStream, Sections, Step,
};
use sferic::problem::{Problems, Sources};
use sferic::topology::{self, RunOptions};
use sferic::tuple::{Frame, Slot};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Instant;

const RATE: u64 = 50_000;
const ROUNDS: usize = 5;
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn nanos() -> u64 {
    START.elapsed().as_nanos() as u64
}

/// Ages are looked at in windows of so long, because the machine is somebody else's now and then, nanoseconds.
const WINDOW_NS: u64 = 50_000_000;

/// What has arrived.
#[derive(Default)]
struct Arrived {
    rows: AtomicU64,
    ages: Mutex<Vec<(u64, u64)>>,
}

/// The sink `arrived`: records how long ago `sent` was.
struct Factory(Arc<Arrived>);

struct Plan(Arc<Arrived>, usize);

struct Recording {
    arrived: Arc<Arrived>,
    sent: Slot,
    /// When each was meant to be sent, and how old it was.
    ages: Vec<(u64, u64)>,
}

impl BoltFactory for Factory {
    fn kind(&self) -> &'static str {
        "arrived"
    }

    fn doc(&self) -> &'static str {
        "records ages"
    }

    fn options(&self) -> &'static [OptionSpec] {
        &[]
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let sent = check.inputs.first()?.columns.iter().position(|c| c.is("sent"))?;
        Some(Box::new(Plan(self.0.clone(), sent)))
    }
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &[]
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        let ages = Vec::with_capacity(4 * RATE as usize);
        Ok(Box::new(Recording { arrived: self.0.clone(), sent: build.inputs[0][self.1], ages }))
    }
}

impl Bolt for Recording {
    fn step(&mut self, _input: usize, frame: &mut Frame, _step: &mut Step<'_>) -> Flow {
        // A line of the warm-up says zero.
        if let Some(sent) = frame.get(self.sent).filter(|sent| *sent > 0) {
            self.ages.push((sent, nanos().saturating_sub(sent)));
        }
        // Release: partner of the acquire in `round`; a count is all that goes with it.
        self.arrived.rows.fetch_add(1, Ordering::Release);
        Flow::Next
    }

    fn finish(&mut self, _sections: &mut Sections) -> Result<(), ComponentError> {
        *self.arrived.ages.lock().expect("nobody panicked") = std::mem::take(&mut self.ages);
        Ok(())
    }
}

/// Sends `lines` lines, each when it is due.
fn send(port: u16, lines: u64) {
    let mut stream = loop {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            Ok(stream) => break stream,
            Err(_) => std::thread::yield_now(),
        }
    };
    stream.set_nodelay(true).expect("a socket option");
    let start = nanos() + 1_000_000;
    let mut line = String::new();
    for n in 0..lines {
        let due = start + n * 1_000_000_000 / RATE;
        while nanos() < due {
            std::hint::spin_loop();
        }
        let sent = if n < lines / 10 { 0 } else { due };
        line.clear();
        use std::fmt::Write;
        writeln!(
            line,
            "{{\"id\":\"p{n:012}\",\"card\":{},\"amount\":{}.25,\"country\":\"NO\",\"merchant\":\"m{:08}\",\"sent\":{sent},\
             \"note\":\"a payment of the usual length\"}}",
            n * 7919 % 10_000,
            n % 900,
            n % 5_000,
        )
        .expect("a string takes all");
        stream.write_all(line.as_bytes()).expect("the topology listens");
    }
}

/// Runs the topology with these further options of its spout; the ages, window by window.
fn round(folder: &std::path::Path, more: &str, lines: u64) -> Vec<Histogram<u64>> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).expect("a free port").port();
    let text = format!(
        "name = \"bench\"\n[runtime]\nthreads = 1\nwait = \"spin\"\ndata_dir = {folder:?}\n\
         [spouts.lines]\nkind = \"tcp\"\naddress = \"127.0.0.1:{port}\"\nbusy = true\nformat = \"json\"\n{more}\n\
         fields.card = \"bigint not null\"\nfields.amount = \"double not null\"\nfields.sent = \"bigint not null\"\n\
         [bolts.card]\nkind = \"aggregate\"\nfrom = \"lines\"\nkey = \"card\"\nadd.n = \"count(*) over '10m'\"\n\
         add.spent = \"sum(amount) over '1h'\"\n[bolts.out]\nkind = \"arrived\"\nfrom = \"card\"\n"
    );
    let arrived = Arc::<Arrived>::default();
    let registry = sferic::registry().bolt(Factory(arrived.clone()));
    let (mut sources, problems) = (Sources::new(), Problems::new());
    let model = sferic::config::load_text("bench.toml", &text, &mut sources, &problems);
    let checked = sferic::config::check(&model, &registry, &problems);
    let checked = checked.unwrap_or_else(|| panic!("{}", sources.render(&problems.into_sorted(), false)));
    let stop = AtomicUsize::new(0);
    let cores = topology::allowed_cores();
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            // The executor has the last core.
            if let Some(id) = cores.first().copied().filter(|_| cores.len() > 1) {
                core_affinity::set_for_current(core_affinity::CoreId { id });
            }
            send(port, lines);
            while arrived.rows.load(Ordering::Acquire) < lines {
                std::thread::yield_now();
            }
            // Relaxed: an order of its own.
            stop.store(1, Ordering::Relaxed);
        });
        let run = || {
            let options = RunOptions {
                every: None,
                interim: &|_| (),
                stop: &|| stop.load(Ordering::Relaxed),
                jitter: None,
                warn: &|text| eprintln!("{text}"),
                reset: &[],
            };
            topology::run(&checked, &options).expect("the topology starts")
        };
        // It moves its thread to another core, which the next round must not inherit.
        let ran = scope.spawn(run).join().expect("the topology ends");
        client.join().expect("the client ends");
        assert!(ran.error.is_none(), "{:?}", ran.error);
        assert_eq!(ran.report.spouts[0].tuples, lines);
    });
    let ages = std::mem::take(&mut *arrived.ages.lock().expect("nobody panicked"));
    assert_eq!(ages.len() as u64, lines - lines / 10);
    let mut windows: Vec<Histogram<u64>> = Vec::new();
    let first = ages.first().map_or(0, |(sent, _)| *sent);
    for (sent, age) in ages {
        let window = ((sent - first) / WINDOW_NS) as usize;
        while windows.len() <= window {
            windows.push(Histogram::new(3).expect("three digits can be had"));
        }
        windows[window].record(age).expect("it grows as far as need be");
    }
    windows
}

fn main() {
    let tiny = std::env::var("SFERIC_BENCH").is_ok_and(|v| v == "tiny");
    let lines = if tiny { 2_000 } else { 2 * RATE };
    let above = std::env::var_os("SFERIC_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = above.join(format!("sferic-bench-tcp-{}", std::process::id()));
    println!(
        "lines of about 150 bytes at {RATE}/s over the loopback, one client; one executor, `busy`, spinning, {} cores",
        topology::allowed_cores().len()
    );
    println!(
        "microseconds from the time a line was meant to be sent to its decision: of all lines of {ROUNDS} rounds, and of \
         the quietest tenth of windows of {} ms",
        WINDOW_NS / 1_000_000
    );
    let parts = [("straight on", ""), ("journaled, synced every 10ms", "journal = \"live\"\nfsync = \"10ms\"")];
    let mut found: Vec<Vec<Histogram<u64>>> = vec![Vec::new(); parts.len()];
    for _ in 0..if tiny { 1 } else { ROUNDS } {
        for (part, (_, more)) in parts.iter().enumerate() {
            let _ = std::fs::remove_dir_all(&folder);
            found[part].extend(round(&folder, more, lines));
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
    println!("{:<32} {:>9} {:>9} {:>9}   {:>9} {:>9}", "", "p50", "p90", "p99", "quiet p50", "p90");
    for ((name, _), mut windows) in parts.iter().zip(found) {
        let mut all = Histogram::<u64>::new(3).expect("three digits can be had");
        windows.iter().for_each(|window| all.add(window).expect("it grows as far as need be"));
        let at = |ages: &Histogram<u64>, quantile: f64| ages.value_at_quantile(quantile) as f64 / 1e3;
        windows.sort_by_key(|window| window.value_at_quantile(0.5));
        let quiet = &windows[windows.len() / 10];
        let judged = match at(quiet, 0.5) < 15.0 {
            _ if tiny => "",
            true => "p50 under 15: met",
            false => "p50 under 15: MISSED",
        };
        let (p50, p90, p99) = (at(&all, 0.5), at(&all, 0.9), at(&all, 0.99));
        let (quiet50, quiet90) = (at(quiet, 0.5), at(quiet, 0.9));
        println!("{name:<32} {p50:>9.1} {p90:>9.1} {p99:>9.1}   {quiet50:>9.1} {quiet90:>9.1}  {judged}");
    }
}
