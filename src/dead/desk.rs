//! Where letters go: a tray for each pipeline, and the desk that puts what is in them into the topic.

use super::letter::{self, Content, Draft, Letter, Source};
use crate::log::{
    Log, LogError, MAX_RECORD_BYTES, Owner, Retention, Start, SyncPolicy, TopicOptions, Writer, WriterOptions,
};
use crate::store::{Batch, Outlet, Prepare, Space, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What an epoch says of the topic.
const NOTE: &str = "dead-letters";
/// Retention drops whole segments: they are small, as letters are few.
const SEGMENT_BYTES: u64 = 16 << 20;
/// A letter longer than a record of the log may be is kept without its record.
const LETTER_MAX: usize = MAX_RECORD_BYTES;

/// The topic of a desk.
#[derive(Clone, Debug)]
pub struct DeskSpec {
    /// The topology, whose commits own the topic.
    pub topology: String,
    /// The topic.
    pub topic: String,
    /// How long, and how much of it, is kept: when the topic is made.
    pub retention: Retention,
}

/// A split of a replay: its positions are offsets of letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The split's number.
    pub split: u32,
    /// By how many bits an offset is shifted to be a position.
    pub shift: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Facts {
    topic: String,
    end: u64,
}

/// The dead letters of a topology, shared by the trays of its pipelines.
pub struct Desk {
    log: Log,
    spec: DeskSpec,
    space: Arc<Space>,
    replayed: Vec<Replayed>,
    book: Mutex<Book>,
}

/// What the trays share. The lock is taken by who has letters, at barriers and when epochs become durable.
#[derive(Default)]
struct Book {
    /// None before the first letter.
    writer: Option<Writer>,
    /// Whether the topic was not there when it was to be written first: what an epoch knows of it is of one before.
    anew: bool,
    /// How many trays there are.
    trays: usize,
    /// Ends of epochs that are not durable yet.
    waiting: VecDeque<(u64, u64)>,
    /// Letters by component and reason.
    counts: BTreeMap<(String, String), u64>,
}

impl Desk {
    /// Opens the topic, if there is one, as the last epoch left it; it is made with the first letter.
    ///
    /// # Errors
    /// It has another writer or owner, lacks what the last epoch says, is damaged, or the disk refuses.
    pub fn open(log: Log, spec: DeskSpec, space: Arc<Space>, now: i64) -> Result<Desk, LogError> {
        let desk = Desk { log, spec, space, replayed: Vec::new(), book: Mutex::default() };
        match desk.log.topic(&desk.spec.topic) {
            Err(LogError::NoTopic { .. }) => {}
            _ => desk.book().writer = Some(desk.writer(false, now)?),
        }
        Ok(desk)
    }

    /// A panic elsewhere leaves the book whole: letters are counted once whatever becomes of them.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tuples of these splits are letters that are replayed.
    pub fn replaying(&mut self, splits: Vec<Replayed>) {
        self.replayed = splits;
    }

    /// The topic's name.
    pub fn topic(&self) -> &str {
        &self.spec.topic
    }

    /// Letters since the start by component and reason, and where the topic ends for its readers.
    pub fn told(&self) -> (Vec<(String, String, u64)>, u64) {
        let book = self.book();
        let counts = book.counts.iter().map(|((component, reason), n)| (component.clone(), reason.clone(), *n));
        (counts.collect(), book.writer.as_ref().map_or(0, Writer::visible_end))
    }

    /// The writer of the topic, cut back to what the last epoch says of it; `anew`: nothing of this one.
    fn writer(&self, anew: bool, now: i64) -> Result<Writer, LogError> {
        let options = TopicOptions { partitions: 1, segment_bytes: SEGMENT_BYTES, retention: self.spec.retention };
        let topic = self.log.create(&self.spec.topic, &options)?;
        let owner = Owner::Committed(format!("{}.dead-letters", self.spec.topology));
        let mut writer = topic.writer(0, WriterOptions { owner, sync: SyncPolicy::Never })?;
        let note: Option<Facts> = self.space.note(NOTE).map_err(|e| LogError::Refused(e.to_string()))?;
        // Without an epoch that knows of the topic, what was shown before stays; one that was removed begins anew.
        let known = note.filter(|note| !anew && note.topic == self.spec.topic).map(|note| note.end);
        let end = known.unwrap_or_else(|| writer.visible_end());
        writer.truncate_to(end)?;
        writer.retain(now)?;
        Ok(writer)
    }

    /// Appends letters, taking them out; the end that their epoch has with them, and what makes it durable.
    fn append(&self, book: &mut Book, owed: &mut Owed) -> Result<(u64, Prepare), LogError> {
        if book.writer.is_none() {
            // A try that the disk has refused may have made it.
            book.anew |= matches!(self.log.topic(&self.spec.topic), Err(LogError::NoTopic { .. }));
            book.writer = Some(self.writer(book.anew, owed.now)?);
        }
        let Some(writer) = &mut book.writer else { return Err(LogError::Refused("no topic".to_owned())) };
        while let Some(letter) = owed.letters.front() {
            writer.append(None, letter.as_bytes(), owed.now)?;
            owed.letters.pop_front();
        }
        let prepared = writer.prepare()?;
        let (end, topic) = (prepared.end(), self.spec.topic.clone());
        book.waiting.push_back((owed.epoch, end));
        Ok((end, Box::new(move || prepared.sync().map_err(|e| outside(&topic, &e)))))
    }

    /// Readers see the letters of epochs that are durable.
    fn publish(&self, durable: u64) -> Result<(), LogError> {
        let book = &mut *self.book();
        while let Some((_, end)) = book.waiting.front().filter(|(epoch, _)| *epoch <= durable) {
            if let Some(writer) = &mut book.writer {
                writer.publish(*end)?;
            }
            book.waiting.pop_front();
        }
        Ok(())
    }

    /// Whether what failed so may be tried again: the disk has no room, or has refused a write, and no sync has failed.
    fn may_try_again(&self, error: &LogError) -> bool {
        match &self.book().writer {
            Some(writer) => writer.may_try_again(error),
            // Half a topic is made good by the next try, but whether a sync of it has failed nobody knows then.
            None => matches!(error, LogError::Io { source, .. }
                if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)),
        }
    }

    /// The letter that a tuple of a replay was made from.
    fn original(&self, offset: u64) -> Option<Letter> {
        let mut reader = self.log.topic(&self.spec.topic).ok()?.reader(0, Start::Offset(offset)).ok()?;
        let record = reader.next_record().ok()??;
        Letter::parse(record.value).filter(|_| record.offset == offset)
    }
}

fn why(error: &LogError) -> String {
    match error {
        LogError::Io { doing, source } => format!("{doing}: {source}"),
        other => other.to_string(),
    }
}

fn outside(topic: &str, error: &LogError) -> StoreError {
    let what = format!("the topic `{topic}` of dead letters cannot be written");
    StoreError::Outside { what, why: why(error), cure: "make room or check the disk, and start again" }
}

/// Letters of an epoch that is over, which the topic does not have yet; the time of their records.
struct Owed {
    epoch: u64,
    now: i64,
    letters: VecDeque<String>,
}

/// The letters of one pipeline that its epoch has not ended for yet, and those that the disk has refused.
pub struct Tray {
    desk: Arc<Desk>,
    outlet: Outlet,
    letters: Vec<String>,
    counts: BTreeMap<(String, String), u64>,
    /// Names of splits by number, as far as they were asked for.
    names: HashMap<u32, String>,
    /// The last epoch with letters of this tray that readers may not see yet.
    unseen: Option<u64>,
    /// The epoch that could not be handed over: it does not become durable, so there is one at most.
    owed: Option<Owed>,
    /// Whether the disk has refused a write that is tried again; letters gather meanwhile.
    refused: bool,
    /// Who tries, as [`Space::refused`] knows it.
    who: String,
}

impl Tray {
    /// A tray of the desk. It owes the committer a hand-over for every epoch.
    pub fn new(desk: Arc<Desk>) -> Tray {
        let number = {
            let mut book = desk.book();
            book.trays += 1;
            book.trays
        };
        Tray {
            outlet: Outlet::new(desk.space.clone()),
            desk,
            letters: Vec::new(),
            counts: BTreeMap::new(),
            names: HashMap::new(),
            unseen: None,
            owed: None,
            refused: false,
            who: format!("dead letters {number}"),
        }
    }

    /// Puts in what failed; `split` and `position` are the origin of the record or tuple.
    #[cold]
    pub fn put(&mut self, split: u32, position: u64, draft: &Draft<'_>) {
        let source = self.source(split, position);
        let mut text = String::new();
        letter::write(draft, &source, &mut text);
        if text.len() > LETTER_MAX {
            text.clear();
            letter::write(&Draft { content: Content::Cut(""), ..*draft }, &source, &mut text);
        }
        *self.counts.entry((draft.component.to_owned(), draft.reason.to_owned())).or_default() += 1;
        self.outlet.changed(text.len());
        self.letters.push(text);
    }

    /// Where a tuple comes from: of one that is replayed, where the letter came from.
    fn source(&mut self, split: u32, position: u64) -> Source {
        if let Some(replayed) = self.desk.replayed.iter().find(|r| r.split == split)
            && let Some(letter) = self.desk.original(position >> replayed.shift)
        {
            let Letter { split, position, attempts, .. } = letter;
            return Source { split, position: position.unwrap_or(0), attempts: attempts.saturating_add(1) };
        }
        if !self.names.contains_key(&split) {
            let all = self.outlet.space().splits();
            self.names = all.into_iter().map(|(name, facts)| (facts.id, name)).collect();
        }
        Source { split: self.names.get(&split).cloned(), position, attempts: 1 }
    }

    /// Epoch `epoch` ends here: its letters go to the topic. `now` is the time of their records.
    pub fn barrier(&mut self, epoch: u64, now: i64) {
        if self.letters.is_empty() {
            self.outlet.hand_over(epoch, Batch::default(), None);
            return;
        }
        {
            let mut book = self.desk.book();
            for (what, count) in std::mem::take(&mut self.counts) {
                *book.counts.entry(what).or_default() += count;
            }
        }
        self.owed = Some(Owed { epoch, now, letters: std::mem::take(&mut self.letters).into() });
        let done = self.pay();
        if let Err(error) = self.keep(done) {
            // The epoch must not become durable without its letters.
            self.outlet.space().fail(error);
        }
    }

    /// Hands over the epoch that is over, once the topic has all its letters.
    fn pay(&mut self) -> Result<(), LogError> {
        let Some(owed) = &mut self.owed else { return Ok(()) };
        let desk = self.desk.clone();
        let mut book = desk.book();
        let (end, sync) = desk.append(&mut book, owed)?;
        let mut batch = Batch::default();
        Space::put_note(&mut batch, NOTE, &Facts { topic: desk.spec.topic.clone(), end });
        // Under the lock: of several trays the last to append, which knows the greatest end, is the last to hand over.
        self.outlet.hand_over(owed.epoch, batch, Some(sync));
        self.unseen = Some(owed.epoch);
        self.owed = None;
        Ok(())
    }

    /// Readers see the letters of epoch `durable`.
    fn show(&mut self, durable: u64) -> Result<(), LogError> {
        if self.unseen.is_some_and(|epoch| epoch <= durable) {
            self.desk.publish(durable)?;
            self.unseen = None;
        }
        Ok(())
    }

    /// A write that the disk refuses is kept and tried again at idle moments.
    fn keep(&mut self, done: Result<(), LogError>) -> Result<(), StoreError> {
        let (space, topic) = (self.outlet.space(), &self.desk.spec.topic);
        match done {
            Ok(()) if std::mem::take(&mut self.refused) => space.accepted(&self.who),
            Ok(()) => {}
            Err(error) if self.desk.may_try_again(&error) => {
                self.refused = true;
                let why = why(&error);
                let said = format!(
                    "the topic `{topic}` of dead letters cannot be written: {why}; make room on the disk or repair it"
                );
                space.refused(&self.who, &said);
            }
            Err(error) => return Err(outside(topic, &error)),
        }
        Ok(())
    }

    /// Epoch `durable` is durable.
    ///
    /// # Errors
    /// The disk refuses for good.
    pub fn committed(&mut self, durable: u64) -> Result<(), StoreError> {
        match self.show(durable) {
            // What is owed still is, and says itself when it is not.
            Ok(()) => Ok(()),
            error => self.keep(error),
        }
    }

    /// At an idle moment: tries again what the disk has refused.
    ///
    /// # Errors
    /// It refuses for good.
    pub fn idle(&mut self) -> Result<(), StoreError> {
        if !self.refused {
            return Ok(());
        }
        let durable = self.outlet.space().durable();
        let done = self.pay().and_then(|()| self.show(durable));
        self.keep(done)
    }
}
