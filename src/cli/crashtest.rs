//! `sferic crashtest`: kills a topology again and again, and compares what it keeps with an undisturbed run.
//!
//! 1. The topology runs once to its end as a child of this process, with a data directory of its own; that takes T.
//! 2. In each round it runs with a fresh data directory and is killed at a moment drawn from 0 to T, and started again,
//!    on another number of executors, until it has come to its end by itself.
//! 3. After each kill: epochs and positions have not gone back. At the end: positions are those of the undisturbed run,
//!    and so are the state of every component and the rows of every committed file that only the data decides about.

use super::{FAILED, WRONG, load};
use crate::component::Registry;
use crate::config::{Checked, Owner};
use crate::sim::{Random, contents, difference};
use crate::store::{Rocks, Space, StoreError};
use crate::topology::{self, CoreBudget};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use thiserror::Error;

/// Flags.
#[derive(clap::Args)]
pub struct Arguments {
    /// The topology file; all its sources must come to an end.
    file: PathBuf,
    /// How often it is run to its end through crashes.
    #[arg(long, value_name = "N", default_value = "10")]
    rounds: NonZeroU32,
    /// Numbers of executors, one of which is drawn for each start.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,2")]
    threads: Vec<NonZeroUsize>,
    /// Decides when it is killed; another one each time by default.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// How often epochs end meanwhile.
    #[arg(long, value_name = "DURATION", default_value = "10ms")]
    commit: String,
    #[command(flatten)]
    load: load::Arguments,
}

/// After so many kills a round is left to come to its end.
const KILLS_MAX: usize = 25;
/// The first kill of a round comes in this part of the time that an undisturbed run takes.
const SHARE_FIRST: f64 = 0.7;
/// A run that is shorter is mostly its own start.
const SHORT: Duration = Duration::from_millis(300);
/// How often a child is looked at.
const LOOK: Duration = Duration::from_millis(1);

/// Why a crash test could not be made.
#[derive(Debug, Error)]
enum Unable {
    #[error("{0}: {1}")]
    Outside(String, io::Error),
    #[error(transparent)]
    State(#[from] StoreError),
    #[error("the topology failed without being killed ({0}); it said:\n{1}")]
    Failed(ExitStatus, String),
}

fn outside(what: &str, path: &Path) -> impl FnOnce(io::Error) -> Unable {
    let text = format!("{what} {}", path.display());
    move |error| Unable::Outside(text, error)
}

/// Makes a crash test and prints its verdict.
pub fn run(registry: &Registry, arguments: &Arguments) -> ExitCode {
    let Some(checked) = load::load(registry, &arguments.file, &arguments.load, None) else {
        return ExitCode::from(WRONG);
    };
    if let Some(spout) = checked.spouts.iter().find(|spout| !spout.plan.finite() || spout.kind == "stdin") {
        eprintln!(
            "error: spout `{}` ({}) cannot be read from its start to an end again and again, which a crash test does; \
             give it a source that can",
            spout.id, spout.kind
        );
        return ExitCode::from(WRONG);
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = arguments.seed.unwrap_or(since.as_nanos() as u64 % 1_000_000);
    let scratch = std::env::temp_dir().join(format!("sferic-crashtest-{}", std::process::id()));
    let test = Test { arguments, checked: &checked, scratch: scratch.clone(), seed };
    match test.make() {
        Ok(true) => {
            // What is left in the folder for such files does no harm.
            let _ = fs::remove_dir_all(&scratch);
            ExitCode::SUCCESS
        }
        Ok(false) => {
            super::print(&format!("everything is kept in {}\n", scratch.display()));
            ExitCode::from(FAILED)
        }
        Err(error) => {
            load::print_error(&error);
            eprintln!("everything is kept in {}", scratch.display());
            ExitCode::from(FAILED)
        }
    }
}

struct Test<'a> {
    arguments: &'a Arguments,
    checked: &'a Checked,
    scratch: PathBuf,
    seed: u64,
}

/// What the store of a run says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Progress {
    epoch: u64,
    positions: BTreeMap<String, u64>,
}

/// What a round came to.
struct Round {
    kills: usize,
    epochs: u64,
    differences: Vec<String>,
}

impl Test<'_> {
    /// Whether all rounds ended as they should.
    fn make(&self) -> Result<bool, Unable> {
        let whole = self.folder("undisturbed")?;
        let start = Instant::now();
        let threads = self.arguments.threads[0].get();
        let status = self.start(&whole, threads)?.wait().map_err(outside("cannot wait for", &whole))?;
        if !status.success() {
            return Err(Unable::Failed(status, words(&whole)));
        }
        let took = start.elapsed();
        let wanted = self.open(&whole)?;
        super::print(&format!(
            "undisturbed: {:.2} s, {} epochs; {} rounds, seed {}\n",
            took.as_secs_f64(),
            wanted.opened().epoch,
            self.arguments.rounds,
            self.seed
        ));
        if took < SHORT {
            super::print("it is so short that most kills come while it starts: more input would tell more\n");
        }
        let undecided = self.undecided(&wanted)?;
        let mut random = Random::new(self.seed);
        let (mut kills, mut epochs, mut failed) = (0, 0, 0);
        for number in 1..=self.arguments.rounds.get() {
            let round = self.round(number, took, &wanted, &undecided, &mut random)?;
            (kills, epochs) = (kills + round.kills, epochs + round.epochs);
            failed += u32::from(!round.differences.is_empty());
            let came = if round.differences.is_empty() { "the same" } else { "DIFFERENT" };
            let (kills, epochs) = (round.kills, round.epochs);
            super::print(&format!("round {number}: {kills} kills, {epochs} epochs: {came}\n"));
            round.differences.iter().for_each(|words| super::print(&format!("  {words}\n")));
        }
        self.verdict(&wanted, &undecided)?;
        let rounds = self.arguments.rounds;
        super::print(&match failed {
            0 => format!("passed: {rounds} rounds, {kills} kills, {epochs} epochs\n"),
            _ => format!("FAILED: {failed} of {rounds} rounds differ; {kills} kills, {epochs} epochs\n"),
        });
        Ok(failed == 0)
    }

    fn folder(&self, name: &str) -> Result<PathBuf, Unable> {
        let folder = self.scratch.join(name);
        let work = folder.join("work");
        fs::create_dir_all(&work).map_err(outside("cannot make the folder", &work))?;
        Ok(folder)
    }

    /// Starts the topology as a child; what its sinks write by relative paths stays in `folder`.
    fn start(&self, folder: &Path, threads: usize) -> Result<Child, Unable> {
        let program = std::env::current_exe().map_err(outside("cannot find", Path::new("this program")))?;
        let file = self.arguments.file.canonicalize().map_err(outside("cannot find", &self.arguments.file))?;
        let told = folder.join("told.txt");
        let told = File::options().create(true).append(true).open(&told).map_err(outside("cannot write", &told))?;
        let mut command = Command::new(program);
        command.arg("run").arg(file).arg("--data-dir").arg(folder.join("data"));
        command.args(["--threads", &threads.to_string(), "--commit", &self.arguments.commit, "--jitter", "0s"]);
        for (name, value) in &self.arguments.load.set {
            command.arg("--set").arg(format!("{name}={value}"));
        }
        command.current_dir(folder.join("work")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(told);
        command.spawn().map_err(outside("cannot start the topology in", folder))
    }

    fn state(&self, folder: &Path) -> PathBuf {
        topology::state_folder(&folder.join("data"), &self.checked.name)
    }

    fn open(&self, folder: &Path) -> Result<Space, Unable> {
        let rocks = Rocks::open_read_only(&self.state(folder))?;
        let (sender, _) = mpsc::channel();
        Ok(Space::open(Arc::new(rocks), 0, sender)?)
    }

    /// What a run has made durable; nothing if it was killed before there was a store.
    fn progress(&self, folder: &Path) -> Progress {
        let Ok(space) = self.open(folder) else { return Progress::default() };
        let positions = space.splits().into_iter().map(|(name, split)| (name, split.position)).collect();
        Progress { epoch: space.opened().epoch, positions }
    }

    fn round(
        &self,
        number: u32,
        took: Duration,
        wanted: &Space,
        undecided: &BTreeMap<String, String>,
        random: &mut Random,
    ) -> Result<Round, Unable> {
        let folder = self.folder(&format!("round-{number}"))?;
        let mut round = Round { kills: 0, epochs: 0, differences: Vec::new() };
        let mut before = Progress::default();
        loop {
            let threads = random.choice(&self.arguments.threads).get();
            let mut child = self.start(&folder, threads)?;
            // Rather too soon than too late: what is never killed says nothing.
            let share = if round.kills == 0 { SHARE_FIRST } else { 1.0 };
            let limit = took.mul_f64(share * random.below(10_000) as f64 / 10_000.0);
            let limit = (round.kills < KILLS_MAX).then_some(limit);
            let ended = wait(&mut child, limit).map_err(outside("cannot wait for", &folder))?;
            match ended {
                Some(status) if !status.success() => return Err(Unable::Failed(status, words(&folder))),
                Some(_) => break,
                None => round.kills += 1,
            }
            let now = self.progress(&folder);
            let back = before.positions.iter().any(|(name, at)| now.positions.get(name).is_none_or(|now| now < at));
            if now.epoch < before.epoch || back {
                round.differences.push(format!("after kill {}: {now:?} after {before:?}", round.kills));
            }
            before = now;
        }
        let found = self.open(&folder)?;
        round.epochs = found.opened().epoch;
        round.differences.extend(compare(&found, wanted, undecided)?);
        round.differences.extend(self.compare_files(&folder, undecided)?);
        if round.differences.is_empty() {
            // The next round needs the room.
            let _ = fs::remove_dir_all(&folder);
        }
        Ok(round)
    }

    /// How the rows of committed files differ from those of the undisturbed run.
    fn compare_files(&self, folder: &Path, undecided: &BTreeMap<String, String>) -> Result<Vec<String>, Unable> {
        let mut differ = Vec::new();
        for bolt in self.checked.bolts.iter().filter(|bolt| !undecided.contains_key(&bolt.id)) {
            let Some(file) = bolt.plan.committed_file().filter(|file| Path::new(file).is_relative()) else { continue };
            let here = rows(&folder.join("work").join(file))?;
            let there = rows(&self.scratch.join("undisturbed").join("work").join(file))?;
            if let Some(at) = (0..here.len().max(there.len())).find(|at| here.get(*at) != there.get(*at)) {
                differ.push(format!(
                    "{file} of {} has {} rows instead of {}; the first that differs of all in their order is {:?} instead \
                     of {:?}",
                    bolt.id,
                    here.len(),
                    there.len(),
                    here.get(at).map_or("none", |row| row),
                    there.get(at).map_or("none", |row| row),
                ));
            }
        }
        Ok(differ)
    }

    /// Components that cannot be compared exactly, and why.
    fn undecided(&self, wanted: &Space) -> Result<BTreeMap<String, String>, Unable> {
        let mut found = BTreeMap::new();
        let entries = topology::entries(self.checked)
            .map_err(|error| Unable::Outside(error.to_string(), io::Error::other("its splits cannot be listed")))?;
        for threads in &self.arguments.threads {
            let plan = topology::plan(self.checked, &entries, &CoreBudget::unpinned(threads.get()));
            for (component, reason) in topology::breaks(self.checked, &entries, &plan) {
                found.entry(component).or_insert(format!("with {threads} executors {reason}"));
            }
        }
        let durable = durable(wanted);
        // Components come behind what they read.
        let mut behind: Vec<Option<String>> = vec![None; self.checked.bolts.len()];
        for (n, bolt) in self.checked.bolts.iter().enumerate() {
            let mut reads = bolt.edges.iter().filter_map(|edge| match self.checked.streams[edge.stream].owner {
                Owner::Bolt(before) => behind[before].clone(),
                Owner::Spout(_) => None,
            });
            behind[n] = reads.next();
            if let Some(reason) = &behind[n] {
                found.insert(bolt.id.clone(), reason.clone());
            } else if bolt.plan.stateful() && !durable.contains(&bolt.id) {
                behind[n] = Some(format!("it comes behind `{}`, whose state is in memory only", bolt.id));
            } else if found.contains_key(&bolt.id) {
                behind[n] = Some(format!("it comes behind `{}`, about which more than the data decides", bolt.id));
            }
        }
        Ok(found)
    }

    /// Says what was compared and what was not.
    fn verdict(&self, wanted: &Space, undecided: &BTreeMap<String, String>) -> Result<(), Unable> {
        let all = contents(wanted, wanted.opened().frontier)?;
        super::print("compared\n");
        for (name, position) in wanted.splits() {
            super::print(&format!("  {name}: read up to {}\n", position.position));
        }
        for (name, handle) in all.iter().filter(|(name, _)| !undecided.contains_key(component(name))) {
            let what =
                if handle.has_lists { "keys (their lists by what follows from them)" } else { "entries, exactly" };
            super::print(&format!("  {name}: {} {what}\n", handle.entries.len()));
        }
        let durable = durable(wanted);
        let mut not: Vec<String> = undecided
            .iter()
            .filter(|(id, _)| durable.contains(*id))
            .map(|(id, reason)| format!("  {id}: {reason}\n"))
            .collect();
        for bolt in self.checked.bolts.iter().filter(|bolt| !durable.contains(&bolt.id)) {
            if bolt.plan.stateful() {
                not.push(format!("  {} ({}): its state is in memory only\n", bolt.id, bolt.kind));
            } else if let Some(file) = bolt.plan.committed_file() {
                match undecided.get(&bolt.id) {
                    Some(reason) => not.push(format!("  {}: {reason}\n", bolt.id)),
                    None if Path::new(file).is_absolute() => {
                        not.push(format!("  {}: all runs write the same file {file}\n", bolt.id));
                    }
                    None => super::print(&format!("  {}: the rows of {file}, in any order\n", bolt.id)),
                }
            } else if bolt.plan.outputs().is_empty() && bolt.kind != "null" {
                not.push(format!("  {} ({}): what it writes is not part of an epoch\n", bolt.id, bolt.kind));
            }
        }
        if !not.is_empty() {
            super::print(&format!("not compared\n{}", not.concat()));
        }
        Ok(())
    }
}

/// The component of a handle.
fn component(handle: &str) -> &str {
    handle.rsplit_once('/').map_or(handle, |(component, _)| component)
}

/// The components that have state in the store.
fn durable(space: &Space) -> BTreeSet<String> {
    space.handles().keys().map(|name| component(name).to_owned()).collect()
}

/// What a round has kept otherwise than the undisturbed run.
fn compare(found: &Space, wanted: &Space, undecided: &BTreeMap<String, String>) -> Result<Vec<String>, Unable> {
    let mut differ = Vec::new();
    let there = wanted.splits();
    for (name, split) in found.splits() {
        let wanted = there.get(&name).map_or(0, |split| split.position);
        if split.position != wanted {
            differ.push(format!("{name} was read up to {} instead of {wanted}", split.position));
        }
    }
    // What has expired may have been forgotten in the one and not yet in the other.
    let now = found.opened().frontier.max(wanted.opened().frontier);
    let (here, there) = (contents(found, now)?, contents(wanted, now)?);
    if here.keys().ne(there.keys()) {
        differ.push(format!("there is state of {:?} instead of {:?}", here.keys(), there.keys()));
        return Ok(differ);
    }
    let decided = here.iter().filter(|(name, _)| !undecided.contains_key(component(name)));
    differ.extend(decided.filter_map(|(name, handle)| difference(name, handle, &there[name])));
    Ok(differ)
}

/// The rows of a file, sorted.
fn rows(path: &Path) -> Result<Vec<String>, Unable> {
    let failed = || outside("cannot read", path);
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened.map_err(failed())?,
    };
    let mut text = String::new();
    let read = match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text),
        Some("zst") => zstd::Decoder::new(file).and_then(|mut file| file.read_to_string(&mut text)),
        _ => { &file }.read_to_string(&mut text),
    };
    read.map_err(failed())?;
    let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
    rows.sort_unstable();
    Ok(rows)
}

/// Waits for a child to end by itself; kills it when that takes longer than `limit`, and then gives nothing.
fn wait(child: &mut Child, limit: Option<Duration>) -> io::Result<Option<ExitStatus>> {
    let Some(limit) = limit else { return child.wait().map(Some) };
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            child.kill()?;
            // It may have come to its end in this very moment.
            let status = child.wait()?;
            return Ok(status.code().map(|_| status));
        }
        std::thread::sleep(LOOK);
    }
}

/// The last words of the children in a folder.
fn words(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join("told.txt")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
