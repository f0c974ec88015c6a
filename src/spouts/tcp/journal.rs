//! Lines that are kept: appended to a topic, and read from its tail by the spout `log`.
//!
//! 1. A turn of the server appends its lines to the journal's group, which is written with one write.
//! 2. Readers see what is written at once, with `fsync = "always"` what is durable. A thread makes it durable, so that
//!    the executor waits for no disk; only a full segment is synced where it is closed.
//! 3. What a commit refers to is durable before it: each epoch waits for a sync of what it has read.
//! 4. Answers go out in the order of the lines when their offsets are durable.
//!
//! While the spout is behind the tail, new lines are appended more seldom: what has been kept goes first.

use super::direct::named;
use super::server::{Client, Fault, Limits, Server, Taker};
use super::show::{self, Pace};
use crate::component::{ComponentError, Intake, Polled, Reject, Sections, Spout, SpoutBuild, SpoutPlan};
use crate::log::{Log, LogError, Owner, Prepared, Retention, SyncPolicy, TopicOptions, Writer, WriterOptions};
use crate::spouts::log::{LogPlan, failed};
use crate::store::{Batch, Outlet, Prepare, StoreError};
use crate::tuple::RUN_TUPLES;
use std::collections::VecDeque;
use std::io::Write as _;
use std::os::fd::RawFd;
use std::sync::mpsc;

/// How often new lines are appended while older ones are to be read, nanoseconds.
const BEHIND_NS: u64 = 200_000;
/// How long it is until what the disk has refused is tried again, nanoseconds.
const PAUSE_NS: u64 = 200_000_000;
/// How long clients have to take their last answers, nanoseconds.
const LAST_ANSWERS_NS: u64 = 2_000_000_000;
/// Error rows and answers that wait before nothing more is read.
const FAULTS: usize = 256;
const ANSWERS: usize = 64 * 1024;

/// When lines are made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fsync {
    /// Before they are read.
    Always,
    /// After so many nanoseconds.
    Every(u64),
    /// With commits.
    Never,
}

/// A checked journal.
pub(super) struct JournalPlan {
    /// How its topic is read.
    pub(super) log: LogPlan,
    pub(super) fsync: Fsync,
    pub(super) retention: Retention,
}

/// A journal that is open.
pub(super) struct Kept {
    writer: Writer,
    log: Box<dyn Spout>,
    syncer: mpsc::Sender<Prepared>,
    fsync: Fsync,
    outlet: Option<Outlet>,
}

impl JournalPlan {
    /// Words for `explain`.
    pub(super) fn describe(&self) -> String {
        let durable = match self.fsync {
            Fsync::Always => "durable before it is read".to_owned(),
            Fsync::Every(ns) => format!("made durable every {}", crate::latency::nanos_text(ns)),
            Fsync::Never => "made durable with commits".to_owned(),
        };
        format!("appends to topic `{}`, {durable}, and reads it at its tail", self.log.topic)
    }

    /// Opens the topic, to write it and to read it where the last commit was.
    ///
    /// # Errors
    /// There is no data directory, somebody else writes the topic, or it lacks what was committed.
    pub(super) fn open(&self, build: &SpoutBuild<'_>) -> Result<Kept, ComponentError> {
        let name = &self.log.name;
        let Some(data_dir) = &self.log.data_dir else {
            return Err(ComponentError::new(format!(
                "spouts.{name} keeps its lines in topic `{}`, but there is no data directory; give one with `data_dir` in \
                 [runtime] or --data-dir",
                self.log.topic
            )));
        };
        let options = TopicOptions { retention: self.retention, ..TopicOptions::default() };
        let topic = Log::in_dir(data_dir).create(&self.log.topic, &options).map_err(|e| failed(name, e))?;
        let sync = if self.fsync == Fsync::Always { SyncPolicy::Always } else { SyncPolicy::Never };
        let writer = topic.writer(0, WriterOptions { owner: Owner::Journal, sync }).map_err(|e| failed(name, e))?;
        Ok(Kept {
            writer,
            log: self.log.open(build)?,
            syncer: syncer(name)?,
            fsync: self.fsync,
            outlet: build.space.map(|space| Outlet::new(space.clone())),
        })
    }
}

/// A thread that makes durable what it is given, until nobody gives any more.
fn syncer(name: &str) -> Result<mpsc::Sender<Prepared>, ComponentError> {
    let (sender, receiver) = mpsc::channel::<Prepared>();
    let body = move || {
        for prepared in receiver {
            // The writer hears of a failure, and refuses everything from then on.
            let _ = prepared.sync();
        }
    };
    let thread = std::thread::Builder::new().name("sferic-journal".to_owned()).spawn(body);
    thread.map_err(|e| ComponentError::io(format!("no thread can be started for the journal of spouts.{name}"), e))?;
    Ok(sender)
}

/// Lines of a client that are to be answered: those from `next` to below `end`; none: a line that was not kept.
struct Answer {
    to: Client,
    next: u64,
    end: u64,
}

/// Where lines go.
struct Appender {
    name: String,
    limits: Limits,
    writer: Writer,
    wall: i64,
    answers: VecDeque<Answer>,
    faults: VecDeque<Reject>,
}

impl Taker for Appender {
    fn line(&mut self, from: Client, line: &[u8]) -> Result<(), ComponentError> {
        let offset = match self.writer.append(None, line, self.wall) {
            // It has been taken from the client; `keep` hears of the refusal again.
            Err(error) if self.writer.may_try_again(&error) => self.writer.append_unwritten(None, line, self.wall),
            appended => appended,
        };
        let offset = offset.map_err(|e| failed(&self.name, e))?;
        if self.limits.answers {
            match self.answers.back_mut() {
                Some(last) if last.to == from && last.end == offset && last.next < last.end => last.end += 1,
                _ => self.answers.push_back(Answer { to: from, next: offset, end: offset + 1 }),
            }
        }
        Ok(())
    }

    fn fault(&mut self, from: Client, fault: Fault, shown: &[u8]) {
        let next = self.writer.next_offset();
        if self.limits.answers && fault == Fault::TooLong {
            self.answers.push_back(Answer { to: from, next, end: next });
        }
        self.faults.push_back(show::reject(fault, shown, next, &self.limits));
    }

    fn is_full(&self) -> bool {
        self.faults.len() >= FAULTS || self.answers.len() >= ANSWERS
    }
}

/// A server whose lines are kept in a topic.
pub(super) struct Journaled {
    server: Server,
    pace: Pace,
    appender: Appender,
    log: Box<dyn Spout>,
    syncer: mpsc::Sender<Prepared>,
    fsync: Fsync,
    outlet: Option<Outlet>,
    /// The end of what is being made durable.
    syncing: u64,
    synced_ns: u64,
    /// All that is visible has been read.
    tail: bool,
    turned_ns: u64,
    /// When the disk has refused a write: the time at which it is tried again. Nothing is taken from clients meanwhile.
    again_ns: Option<u64>,
    stopping: bool,
    /// When it was first asked after the stop.
    stopped_ns: Option<u64>,
    text: Vec<u8>,
}

impl Journaled {
    /// Starts to take lines.
    pub(super) fn open(server: Server, limits: Limits, kept: Kept, build: &SpoutBuild<'_>) -> Journaled {
        let Kept { writer, log, syncer, fsync, outlet } = kept;
        let name = build.name.to_owned();
        let (answers, faults) = (VecDeque::new(), VecDeque::new());
        Journaled {
            server,
            pace: Pace::new(limits.busy),
            appender: Appender { name, limits, writer, wall: 0, answers, faults },
            log,
            syncer,
            fsync,
            outlet,
            syncing: 0,
            synced_ns: 0,
            tail: false,
            turned_ns: 0,
            again_ns: None,
            stopping: false,
            stopped_ns: None,
            text: Vec::new(),
        }
    }

    fn failed(&self, error: LogError) -> ComponentError {
        failed(&self.appender.name, error)
    }

    /// Appends what has come, shows it to the reader, and answers.
    fn turn(&mut self, now: u64, wall: i64) -> Result<(), ComponentError> {
        self.turned_ns = now;
        if self.again_ns.is_some_and(|again| now < again) || self.again_ns.is_some() && !self.kept(now)? {
            return Ok(());
        }
        self.appender.wall = wall;
        let came = self.server.turn(now, &mut self.appender).map_err(|e| named(&self.appender.name, e))?;
        self.pace.looked(now, came);
        self.kept(now)?;
        if self.appender.limits.answers {
            self.answer();
            self.server.send();
        }
        Ok(())
    }

    /// Keeps what was appended; whether the disk took it. What it refuses is tried again after a pause.
    ///
    /// # Errors
    /// It failed for good.
    fn kept(&mut self, now: u64) -> Result<bool, ComponentError> {
        let Err(error) = self.keep(now) else {
            if self.again_ns.take().is_some()
                && let Some(outlet) = &self.outlet
            {
                outlet.space().accepted(&format!("spouts.{}", self.appender.name));
            }
            return Ok(true);
        };
        match &self.outlet {
            Some(outlet) if self.appender.writer.may_try_again(&error) => {
                let name = &self.appender.name;
                let what = format!("the journal of spouts.{name} cannot be written: {}", why(&error));
                outlet
                    .space()
                    .refused(&format!("spouts.{name}"), &format!("{what}; make room on the disk or repair it"));
                self.again_ns = Some(now.saturating_add(PAUSE_NS));
                Ok(false)
            }
            _ => Err(self.failed(error)),
        }
    }

    /// Writes what was appended, has it made durable when it is time, and shows it.
    fn keep(&mut self, now: u64) -> Result<(), LogError> {
        let writer = &mut self.appender.writer;
        let written = writer.write()?;
        let synced = writer.synced_end();
        let visible = if self.fsync == Fsync::Always { synced.min(written) } else { written };
        if visible > writer.visible_end() {
            writer.publish(visible)?;
        }
        let due = match self.fsync {
            Fsync::Always => true,
            Fsync::Every(ns) => now.saturating_sub(self.synced_ns) >= ns || self.stopping,
            Fsync::Never => false,
        };
        if due && synced < written && synced >= self.syncing {
            let prepared = writer.prepare()?;
            self.syncing = prepared.end();
            self.synced_ns = now;
            // The thread ends when this sender goes, not before.
            let _ = self.syncer.send(prepared);
        }
        Ok(())
    }

    /// Answers lines whose offsets are durable.
    fn answer(&mut self) {
        let durable = self.appender.writer.synced_end();
        while let Some(first) = self.appender.answers.front_mut() {
            self.text.clear();
            let (to, from, until) = (first.to, first.next, first.end.min(durable));
            if first.next == first.end {
                if durable < first.end {
                    return;
                }
                self.text.extend_from_slice(b"ERROR the line is too long\n");
                self.server.answer(to, &self.text, 1);
                self.appender.answers.pop_front();
                continue;
            }
            for offset in from..until {
                // Writing into a vector cannot fail.
                let _ = writeln!(self.text, "OK {offset}");
            }
            first.next = until.max(from);
            let all = first.next == first.end;
            self.server.answer(to, &self.text, until.saturating_sub(from));
            if !all {
                return;
            }
            self.appender.answers.pop_front();
        }
    }

    /// What can be waited for, while nothing is to be done but to hear clients.
    fn socket(&self) -> Option<RawFd> {
        let writer = &self.appender.writer;
        let kept = self.fsync == Fsync::Never || writer.synced_end() == writer.next_offset();
        let owes = !self.appender.answers.is_empty() || !self.appender.faults.is_empty();
        let held = self.again_ns.is_some() || self.stopping;
        self.server.wait_on().filter(|_| self.tail && kept && !owes && !held)
    }

    /// Whether, after the stop, all that came was read, kept and answered.
    fn is_over(&mut self, now: u64) -> bool {
        if !self.stopping {
            return false;
        }
        let since = *self.stopped_ns.get_or_insert(now);
        let writer = &self.appender.writer;
        let read = self.server.is_read() && writer.visible_end() == writer.next_offset();
        let answered = self.appender.answers.is_empty() && !self.server.owes();
        read && self.appender.faults.is_empty() && (answered || now.saturating_sub(since) >= LAST_ANSWERS_NS)
    }
}

impl Spout for Journaled {
    fn poll(&mut self, intake: &mut Intake<'_>) -> Result<Polled, ComponentError> {
        if !intake.run.is_empty() {
            // Its texts may point into the reader's block: the run has to go first.
            return Ok(Polled::Nothing(Some(intake.now)));
        }
        if !self.appender.faults.is_empty() {
            let most = self.appender.faults.len().min(RUN_TUPLES);
            intake.rejects.extend(self.appender.faults.drain(..most));
            return Ok(Polled::Some);
        }
        let wait = if self.tail { 0 } else { BEHIND_NS };
        if self.pace.is_due(intake.now) && intake.now.saturating_sub(self.turned_ns) >= wait {
            self.turn(intake.now, intake.wall)?;
        }
        let polled = self.log.poll(intake)?;
        self.tail = matches!(polled, Polled::Nothing(None));
        match polled {
            Polled::Nothing(None) if self.is_over(intake.now) => Ok(Polled::End),
            Polled::Nothing(None) if !self.appender.faults.is_empty() => Ok(Polled::Nothing(Some(intake.now))),
            Polled::Nothing(None) => Ok(Polled::Nothing(self.pace.due(self.socket().is_some()))),
            polled => Ok(polled),
        }
    }

    fn wait_on(&mut self) -> Option<RawFd> {
        let socket = self.socket()?;
        self.pace.sleep();
        Some(socket)
    }

    fn lag(&self, timed: bool) -> Option<i64> {
        // What has come and is not shown yet has an earlier time.
        let writer = &self.appender.writer;
        (!timed && writer.visible_end() == writer.next_offset()).then_some(0)
    }

    fn position(&self) -> u64 {
        self.log.position()
    }

    fn identity(&self) -> String {
        self.log.identity()
    }

    fn filtered(&self) -> u64 {
        self.log.filtered()
    }

    fn barrier(&mut self, epoch: u64) {
        let Some(outlet) = &self.outlet else { return };
        let (name, writer) = (self.appender.name.clone(), &mut self.appender.writer);
        // What is read is written, so it is enough where the disk refuses the rest.
        let prepared = match writer.prepare() {
            Err(error) if writer.may_try_again(&error) => writer.prepare_written(),
            prepared => prepared,
        };
        let prepare: Option<Prepare> = match prepared {
            Ok(prepared) if prepared.end() == writer.synced_end() => None,
            Ok(prepared) => Some(Box::new(move || prepared.sync().map_err(|e| outside(&name, &e)))),
            Err(error) => Some(Box::new(move || Err(outside(&name, &error)))),
        };
        outlet.hand_over(epoch, Batch::default(), prepare);
    }

    fn drain(&mut self) -> bool {
        self.stopping = true;
        self.server.stop();
        true
    }

    fn finish(&mut self, sections: &mut Sections) {
        show::section(&self.appender.name, &self.server, sections);
    }
}

fn why(error: &LogError) -> String {
    match error {
        LogError::Io { doing, source } => format!("{doing}: {source}"),
        other => other.to_string(),
    }
}

fn outside(name: &str, error: &LogError) -> StoreError {
    let what = format!("the journal of spouts.{name} cannot be written");
    StoreError::Outside { what, why: why(error), cure: "make room or check the disk, and start again" }
}
