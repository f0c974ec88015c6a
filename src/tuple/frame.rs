//! Frames: a tuple in a pipeline, as words by position.
//!
//! A frame is a header, one NULL bit for each slot, and the slots, one word each. All frames of a pipeline have one
//! [`Layout`]; an operator writes the slots that the planner gave it and reads those of its inputs, so that filter and
//! select copy nothing and sibling branches never disturb each other. A [`Run`] is up to [`RUN_TUPLES`] frames in one
//! piece of memory.

use super::{Arena, TextWord};

/// Most tuples that are processed together.
pub const RUN_TUPLES: usize = 64;

const DUE: usize = 0;
const TIME: usize = 1;
const SPLIT: usize = 2;
const POSITION: usize = 3;
const PATH: usize = 4;
const HEADER: usize = 5;

/// How many slots the frames of a pipeline have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    slots: u16,
    null_words: u16,
}

/// Where a column stands in the frames of one layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    word: u16,
    null_word: u16,
    null_mask: u64,
}

impl Layout {
    /// A layout with `slots` slots, at most 32,768.
    pub fn new(slots: usize) -> Layout {
        assert!(slots <= 1 << 15, "a pipeline has at most 32,768 columns");
        Layout { slots: slots as u16, null_words: slots.div_ceil(64) as u16 }
    }

    /// The slot at `index`.
    pub fn slot(self, index: usize) -> Slot {
        assert!(index < self.slots as usize, "slot {index} of {}", self.slots);
        Slot {
            word: (HEADER + self.null_words as usize + index) as u16,
            null_word: (HEADER + index / 64) as u16,
            null_mask: 1 << (index % 64),
        }
    }

    /// Number of slots.
    pub fn slots(self) -> usize {
        self.slots as usize
    }

    /// Words of a frame.
    pub fn words(self) -> usize {
        HEADER + self.null_words as usize + self.slots as usize
    }
}

impl Slot {
    /// Index of the word in the frame that holds this slot's NULL bit; for checking many slots at once.
    pub fn null_word(self) -> usize {
        self.null_word as usize
    }

    /// This slot's bit in that word.
    pub fn null_mask(self) -> u64 {
        self.null_mask
    }
}

/// One tuple.
#[derive(Debug)]
#[repr(transparent)]
pub struct Frame([u64]);

impl Frame {
    /// A frame over words of a layout.
    #[inline(always)]
    pub fn from_words(words: &[u64]) -> &Frame {
        // SAFETY: `Frame` is a transparent wrapper of `[u64]`.
        unsafe { &*(words as *const [u64] as *const Frame) }
    }

    /// A frame over words of a layout.
    #[inline(always)]
    pub fn from_words_mut(words: &mut [u64]) -> &mut Frame {
        // SAFETY: `Frame` is a transparent wrapper of `[u64]`.
        unsafe { &mut *(words as *mut [u64] as *mut Frame) }
    }

    /// All words, header first.
    #[inline(always)]
    pub fn words(&self) -> &[u64] {
        &self.0
    }

    /// All words, header first.
    #[inline(always)]
    pub fn words_mut(&mut self) -> &mut [u64] {
        &mut self.0
    }

    /// The word of a slot, whatever its NULL bit says.
    #[inline(always)]
    pub fn word(&self, slot: Slot) -> u64 {
        self.0[slot.word as usize]
    }

    /// Whether the slot is NULL.
    #[inline(always)]
    pub fn is_null(&self, slot: Slot) -> bool {
        self.0[slot.null_word as usize] & slot.null_mask != 0
    }

    /// The word of a slot, none for NULL.
    #[inline(always)]
    pub fn get(&self, slot: Slot) -> Option<u64> {
        if self.is_null(slot) { None } else { Some(self.word(slot)) }
    }

    /// The text of a text slot that is not NULL.
    #[inline(always)]
    pub fn text(&self, slot: Slot) -> &str {
        TextWord(self.word(slot)).as_str()
    }

    /// Writes a slot that is not NULL.
    #[inline(always)]
    pub fn set(&mut self, slot: Slot, word: u64) {
        self.0[slot.word as usize] = word;
        self.0[slot.null_word as usize] &= !slot.null_mask;
    }

    /// Writes a slot that is known not to be NULL, as none is after [`Run::push`]; cheaper than [`Frame::set`] where
    /// many slots are written.
    #[inline(always)]
    pub fn fill(&mut self, slot: Slot, word: u64) {
        debug_assert!(!self.is_null(slot));
        self.0[slot.word as usize] = word;
    }

    /// Makes a slot NULL.
    #[inline(always)]
    pub fn set_null(&mut self, slot: Slot) {
        self.0[slot.word as usize] = 0;
        self.0[slot.null_word as usize] |= slot.null_mask;
    }

    /// Writes a slot, none being NULL.
    #[inline(always)]
    pub fn put(&mut self, slot: Slot, word: Option<u64>) {
        match word {
            Some(word) => self.set(slot, word),
            None => self.set_null(slot),
        }
    }

    /// Copies one slot to another, NULL included.
    #[inline(always)]
    pub fn copy(&mut self, from: Slot, to: Slot) {
        let word = self.get(from);
        self.put(to, word);
    }

    /// When the tuple was due, in nanoseconds of the process's clock: what its latency is measured from.
    #[inline(always)]
    pub fn due(&self) -> u64 {
        self.0[DUE]
    }

    /// Sets the due time.
    #[inline(always)]
    pub fn set_due(&mut self, nanos: u64) {
        self.0[DUE] = nanos;
    }

    /// Event time, microseconds since 1970 UTC.
    #[inline(always)]
    pub fn time(&self) -> i64 {
        self.0[TIME] as i64
    }

    /// Sets the event time.
    #[inline(always)]
    pub fn set_time(&mut self, micros: i64) {
        self.0[TIME] = micros as u64;
    }

    /// The split of the record that triggered this tuple.
    #[inline(always)]
    pub fn split(&self) -> u32 {
        self.0[SPLIT] as u32
    }

    /// The position in its split of the record that triggered this tuple.
    #[inline(always)]
    pub fn position(&self) -> u64 {
        self.0[POSITION]
    }

    /// Sets split and position.
    #[inline(always)]
    pub fn set_origin(&mut self, split: u32, position: u64) {
        self.0[SPLIT] = split as u64;
        self.0[POSITION] = position;
    }

    /// What distinguishes tuples of one origin; changed only where a component emits other than one for one.
    #[inline(always)]
    pub fn path(&self) -> u64 {
        self.0[PATH]
    }

    /// Sets the path.
    #[inline(always)]
    pub fn set_path(&mut self, path: u64) {
        self.0[PATH] = path;
    }

    /// Copies the header (due time, event time, origin, path) of `other`, which may have another layout.
    pub fn copy_header(&mut self, other: &Frame) {
        self.0[..HEADER].copy_from_slice(&other.0[..HEADER]);
    }

    /// Makes the NULL words zero: no slot is NULL. Slots keep what they held.
    #[inline(always)]
    pub fn clear_nulls(&mut self, layout: Layout) {
        for word in &mut self.0[HEADER..HEADER + layout.null_words as usize] {
            *word = 0;
        }
    }
}

/// Up to [`RUN_TUPLES`] frames of one layout, and the memory of texts that were copied while they were decoded.
pub struct Run {
    layout: Layout,
    words: Vec<u64>,
    len: usize,
    arena: Arena,
}

impl Run {
    /// An empty run; all its memory is allocated here.
    pub fn new(layout: Layout) -> Run {
        Run { layout, words: vec![0; layout.words() * RUN_TUPLES], len: 0, arena: Arena::new() }
    }

    /// The layout of its frames.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Number of frames.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no frames.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether no further frame fits.
    pub fn is_full(&self) -> bool {
        self.len == RUN_TUPLES
    }

    /// Frame `index`.
    #[inline(always)]
    pub fn frame(&self, index: usize) -> &Frame {
        debug_assert!(index < self.len);
        let n = self.layout.words();
        Frame::from_words(&self.words[index * n..index * n + n])
    }

    /// Frame `index`.
    #[inline(always)]
    pub fn frame_mut(&mut self, index: usize) -> &mut Frame {
        debug_assert!(index < self.len);
        let n = self.layout.words();
        Frame::from_words_mut(&mut self.words[index * n..index * n + n])
    }

    /// Where texts of its frames may be copied to.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// Appends a frame without NULLs and with a zero path, to be filled in, and lends the run's arena beside it. The
    /// run must not be full. Take it back with [`Run::pop`] if the record turns out to be broken.
    #[inline(always)]
    pub fn push(&mut self) -> (&mut Frame, &Arena) {
        assert!(self.len < RUN_TUPLES, "the run is full");
        let n = self.layout.words();
        let at = self.len * n;
        self.len += 1;
        let frame = Frame::from_words_mut(&mut self.words[at..at + n]);
        frame.set_path(0);
        frame.clear_nulls(self.layout);
        (frame, &self.arena)
    }

    /// Takes back the last frame.
    pub fn pop(&mut self) {
        self.len -= 1;
    }

    /// Forgets all frames and texts.
    #[inline(always)]
    pub fn clear(&mut self) {
        self.len = 0;
        self.arena.clear();
    }
}
