//! Where letters go: a tray for each pipeline, and the desk that puts what is in them into the topic.

use super::letter::{self, Content, Draft, Letter, Source};
use crate::log::{
    Log, LogError, MAX_RECORD_BYTES, Owner, Retention, Start, SyncPolicy, TopicOptions, Writer, WriterOptions,
};
use crate::store::{Batch, Outlet, Prepare, Space, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

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
            _ => desk.book.lock().unwrap_or_else(PoisonError::into_inner).writer = Some(desk.writer(now)?),
        }
        Ok(desk)
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
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = book.counts.iter().map(|((component, reason), n)| (component.clone(), reason.clone(), *n));
        (counts.collect(), book.writer.as_ref().map_or(0, Writer::visible_end))
    }

    fn writer(&self, now: i64) -> Result<Writer, LogError> {
        let options = TopicOptions { partitions: 1, segment_bytes: SEGMENT_BYTES, retention: self.spec.retention };
        let anew = matches!(self.log.topic(&self.spec.topic), Err(LogError::NoTopic { .. }));
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

    /// Appends letters; the end that epoch `epoch` has with them, and what makes it durable.
    fn append(&self, book: &mut Book, letters: &[String], epoch: u64, now: i64) -> Result<(u64, Prepare), LogError> {
        if book.writer.is_none() {
            book.writer = Some(self.writer(now)?);
        }
        let Some(writer) = &mut book.writer else { return Err(LogError::Refused("no topic".to_owned())) };
        for letter in letters {
            writer.append(None, letter.as_bytes(), now)?;
        }
        let prepared = writer.prepare()?;
        let (end, topic) = (prepared.end(), self.spec.topic.clone());
        book.waiting.push_back((epoch, end));
        Ok((end, Box::new(move || prepared.sync().map_err(|e| outside(&topic, &e)))))
    }

    /// Readers see the letters of epochs that are durable.
    fn publish(&self, durable: u64) -> Result<(), StoreError> {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((_, end)) = book.waiting.pop_front_if(|(epoch, _)| *epoch <= durable) {
            if let Some(writer) = &mut book.writer {
                writer.publish(end).map_err(|e| outside(&self.spec.topic, &e))?;
            }
        }
        Ok(())
    }

    /// The letter that a tuple of a replay was made from.
    fn original(&self, offset: u64) -> Option<Letter> {
        let mut reader = self.log.topic(&self.spec.topic).ok()?.reader(0, Start::Offset(offset)).ok()?;
        let record = reader.next_record().ok()??;
        Letter::parse(record.value).filter(|_| record.offset == offset)
    }
}

fn outside(topic: &str, error: &LogError) -> StoreError {
    let why = match error {
        LogError::Io { doing, source } => format!("{doing}: {source}"),
        other => other.to_string(),
    };
    let what = format!("the topic `{topic}` of dead letters cannot be written");
    StoreError::Outside { what, why, cure: "make room or check the disk, and start again" }
}

/// The letters of one pipeline that its epoch has not ended for yet.
pub struct Tray {
    desk: Arc<Desk>,
    outlet: Outlet,
    letters: Vec<String>,
    counts: BTreeMap<(String, String), u64>,
    /// Names of splits by number, as far as they were asked for.
    names: HashMap<u32, String>,
    /// The last epoch with letters of this tray that readers may not see yet.
    unseen: Option<u64>,
}

impl Tray {
    /// A tray of the desk. It owes the committer a hand-over for every epoch.
    pub fn new(desk: Arc<Desk>) -> Tray {
        Tray {
            outlet: Outlet::new(desk.space.clone()),
            desk,
            letters: Vec::new(),
            counts: BTreeMap::new(),
            names: HashMap::new(),
            unseen: None,
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
        let mut batch = Batch::default();
        if self.letters.is_empty() {
            self.outlet.hand_over(epoch, batch, None);
            return;
        }
        let letters = std::mem::take(&mut self.letters);
        self.unseen = Some(epoch);
        let desk = self.desk.clone();
        let mut book = desk.book.lock().unwrap_or_else(PoisonError::into_inner);
        for (what, count) in std::mem::take(&mut self.counts) {
            *book.counts.entry(what).or_default() += count;
        }
        // Under the lock: of several trays the last to append, which knows the greatest end, is the last to hand over.
        match desk.append(&mut book, &letters, epoch, now) {
            Ok((end, sync)) => {
                Space::put_note(&mut batch, NOTE, &Facts { topic: desk.spec.topic.clone(), end });
                self.outlet.hand_over(epoch, batch, Some(sync));
            }
            Err(error) => {
                // The epoch must not become durable without its letters.
                let error = outside(&desk.spec.topic, &error);
                self.outlet.hand_over(epoch, batch, Some(Box::new(move || Err(error))));
            }
        }
    }

    /// Epoch `durable` is durable.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn committed(&mut self, durable: u64) -> Result<(), StoreError> {
        match self.unseen {
            Some(epoch) if epoch <= durable => {
                self.unseen = None;
                self.desk.publish(durable)
            }
            _ => Ok(()),
        }
    }
}
