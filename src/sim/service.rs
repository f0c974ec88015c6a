//! A service outside that a topology sends rows to, and kind `service`, the sink that does.
//!
//! The service refuses, takes a part and refuses, takes all and does not say so, or says so late. It can be put back to a
//! number of rows, as a file can be cut. With `deliver = "committed"` the sink sends what is durable and puts the service
//! back before each try; with `"now"` it sends each row at once, and what it has no answer for at the end of an epoch goes
//! through the outbox.
//!
//! Promises, checked whenever a process begins. Committed: what the service has up to the mark, and then what the outbox
//! holds, are the rows of the durable epochs, once each and in order. Now: each row of them is at the service or in the
//! outbox, and rows of the same id are the same rows.

use super::ledger::{Seen, sum_of};
use super::random::Random;
use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ComponentError, Flow, Mark, OptionSpec, Outbox, OutputStream,
    Step,
};
use crate::store::{Codec, Space};
use crate::tuple::{Column, DataType, Frame, Slot};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A row as the service knows it: the record that it stems from, which is its id, and a hash of its columns.
type Row = (u64, u64);

/// The sink whose rows are sent when they are durable, and the one whose rows are sent at once.
const COMMITTED: &str = "once";
const NOW: &str = "soon";

/// What the service answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Taken,
    /// It may have taken a part, or all.
    Refused,
    /// It has taken all, and says so when it has been asked so often.
    Late(usize),
}

struct Inner {
    rows: BTreeMap<String, Vec<Row>>,
    random: Random,
    calm: bool,
}

/// The service; clones are the same one.
#[derive(Clone)]
pub struct Service(Arc<Mutex<Inner>>);

impl Service {
    /// A service that behaves as a seed decides.
    pub fn new(seed: u64) -> Service {
        Service(Arc::new(Mutex::new(Inner { rows: BTreeMap::new(), random: Random::new(seed), calm: true })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves the rows whole: each change is one call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it takes everything at once from now on.
    pub fn set_calm(&self, calm: bool) {
        self.inner().calm = calm;
    }

    /// Sends rows of a sink, behind the first `at` of them if that is said.
    fn send(&self, sink: &str, at: Option<usize>, rows: &[Row]) -> Answer {
        let mut inner = self.inner();
        let (taken, answer) = match inner.random.below(8) {
            _ if inner.calm => (rows.len(), Answer::Taken),
            0 => (0, Answer::Refused),
            1 => (inner.random.below(rows.len() + 1), Answer::Refused),
            2 => (rows.len(), Answer::Refused),
            3 => (rows.len(), Answer::Late(inner.random.below(4))),
            _ => (rows.len(), Answer::Taken),
        };
        let known = inner.rows.entry(sink.to_owned()).or_default();
        known.truncate(at.unwrap_or(known.len()));
        known.extend_from_slice(&rows[..taken]);
        answer
    }

    /// Checks its promises to the rows of the durable epochs, by the ledger's; `ended`: nothing is on its way any more.
    ///
    /// # Errors
    /// A promise is broken, in words.
    pub fn look(&self, space: &Space, ledger: &[Seen], ended: bool) -> Result<(), String> {
        let mut wanted: Vec<Row> = ledger.iter().map(|seen| (seen.position, seen.sum)).collect();
        wanted.sort_unstable();
        let inner = self.inner();
        let of = |sink: &str| inner.rows.get(sink).cloned().unwrap_or_default();
        let stored = |sink: &str| -> Result<Vec<Row>, String> {
            let epochs = space.outbox(&format!("{sink}/0")).map_err(|error| error.to_string())?;
            Ok(epochs.iter().flat_map(|(_, rows)| decode(rows)).collect())
        };
        let mark: Option<Mark> = space.note(&format!("delivered/{COMMITTED}/0")).map_err(|error| error.to_string())?;
        let (mut once, mark) = (of(COMMITTED), mark.map_or(0, |mark| mark.mark as usize));
        if once.len() < mark {
            return Err(format!("the mark of `{COMMITTED}` is {mark}, and the service has {} rows", once.len()));
        }
        if !ended {
            once.truncate(mark);
            once.extend(stored(COMMITTED)?);
        }
        if let Some(at) = (0..once.len().max(wanted.len())).find(|at| once.get(*at) != wanted.get(*at)) {
            return Err(format!(
                "row {at} of `{COMMITTED}` is {:?} instead of {:?}, with a mark at {mark}",
                once.get(at),
                wanted.get(at)
            ));
        }
        let kept = if ended { Vec::new() } else { stored(NOW)? };
        let soon: Vec<Row> = of(NOW).into_iter().chain(kept).collect();
        if let Some(lost) = wanted.iter().find(|row| !soon.contains(row)) {
            return Err(format!("`{NOW}` has not sent {lost:?}, nor kept it"));
        }
        let known: BTreeMap<u64, u64> = wanted.into_iter().collect();
        match soon.iter().find(|(id, sum)| known.get(id).is_some_and(|known| known != sum)) {
            Some(row) => Err(format!("`{NOW}` has sent {row:?}, whose id is that of another row")),
            None => Ok(()),
        }
    }
}

fn decode(mut bytes: &[u8]) -> Vec<Row> {
    std::iter::from_fn(|| Some((u64::read(&mut bytes)?, u64::read(&mut bytes)?))).collect()
}

/// The factory.
pub struct ServiceFactory(pub Service);

impl BoltFactory for ServiceFactory {
    fn kind(&self) -> &'static str {
        "service"
    }

    fn doc(&self) -> &'static str {
        "sends rows to a service that fails"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[OptionSpec::required("deliver", "\"now\" or \"committed\"")];
        OPTIONS
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let now = check.options.choice("deliver", &["now", "committed"])? == "now";
        Some(Box::new(Plan { service: self.0.clone(), now, columns: check.inputs.first()?.columns.clone() }))
    }
}

struct Plan {
    service: Service,
    now: bool,
    columns: Vec<Column>,
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &[]
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        let Some((mut outbox, mark)) = Outbox::open(build)? else {
            return Err(ComponentError::new("a service needs a store"));
        };
        if mark.is_none() {
            outbox.starts_at(Mark::default());
        }
        let columns = self.columns.iter().zip(&build.inputs[0]);
        Ok(Box::new(Sink {
            name: build.name.to_owned(),
            service: self.service.clone(),
            now: self.now,
            columns: columns.map(|(column, slot)| (*slot, column.ty)).collect(),
            sent: mark.map_or(0, |mark| mark.mark),
            outbox,
            late: None,
            unanswered: Vec::new(),
        }))
    }
}

struct Sink {
    name: String,
    service: Service,
    now: bool,
    columns: Vec<(Slot, DataType)>,
    outbox: Outbox,
    /// Rows of durable epochs that the service has taken.
    sent: u64,
    /// How often it is to be asked before it answers to what was sent.
    late: Option<usize>,
    /// Rows that were sent at once and got no answer.
    unanswered: Vec<Row>,
}

impl Sink {
    fn send(&self, rows: &[Row]) -> Answer {
        let at = (!self.now).then_some(self.sent as usize);
        self.service.send(&self.name, at, rows)
    }

    /// Sends the rows of durable epochs, until one is refused.
    fn deliver(&mut self, durable: u64) {
        while let Some((_, bytes)) = self.outbox.next(durable) {
            let rows = decode(bytes);
            let answer = match self.late.take() {
                None => self.send(&rows),
                Some(0) => Answer::Taken,
                Some(more) => Answer::Late(more - 1),
            };
            match answer {
                Answer::Taken => self.sent += rows.len() as u64,
                Answer::Refused => return self.outbox.refuse("the service refuses"),
                Answer::Late(asks) => {
                    self.late = Some(asks);
                    return self.outbox.refuse("the service does not answer");
                }
            }
            self.outbox.delivered(self.sent);
        }
        if self.outbox.is_refused() {
            self.outbox.accept();
        }
    }
}

impl Bolt for Sink {
    fn step(&mut self, _input: usize, frame: &mut Frame, _step: &mut Step<'_>) -> Flow {
        let row = (frame.position(), sum_of(frame, &self.columns));
        if !self.now {
            let filling = self.outbox.filling();
            row.0.write(filling);
            row.1.write(filling);
        } else if self.send(&[row]) != Answer::Taken {
            self.unanswered.push(row);
        }
        Flow::Skip
    }

    fn barrier(&mut self, epoch: u64) {
        for (id, sum) in std::mem::take(&mut self.unanswered) {
            let filling = self.outbox.filling();
            id.write(filling);
            sum.write(filling);
        }
        self.outbox.barrier(epoch, None);
    }

    fn committed(&mut self, epoch: u64) -> Result<bool, ComponentError> {
        self.deliver(epoch);
        Ok(self.outbox.has_news())
    }

    fn idle(&mut self) -> Result<(), ComponentError> {
        let unanswered = std::mem::take(&mut self.unanswered);
        self.unanswered = unanswered.into_iter().filter(|row| self.send(&[*row]) != Answer::Taken).collect();
        if self.outbox.is_refused() {
            self.deliver(self.outbox.durable());
        }
        Ok(())
    }
}
