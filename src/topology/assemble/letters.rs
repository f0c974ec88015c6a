//! What is assembled for what fails: trays for dead letters, and care around what is known to panic.

use super::{Assembly, Growing};
use crate::component::Bolt;
use crate::dead::{Desk, Tray};
use crate::executor::{Careful, Letters, Shown};
use crate::topology::{Panic, columns};
use crate::tuple::{Encoder, Format};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// What becomes of what fails.
#[derive(Clone, Default)]
pub struct Letterbox {
    /// The topic of dead letters, if they are kept.
    pub desk: Option<Arc<Desk>>,
    /// Tuples that make a component panic: it leaves them out.
    pub panics: Vec<Panic>,
}

impl Assembly<'_> {
    pub(super) fn desk(&self) -> Option<&Arc<Desk>> {
        self.parts.letters.as_ref()?.desk.as_ref()
    }

    /// Where the pipeline puts what nobody reads, and how rows are shown there.
    pub(super) fn letters(&self, growing: &Growing) -> Option<Box<Letters>> {
        let tray = Tray::new(self.desk()?.clone());
        let checked = self.parts.checked;
        let there = columns::there(self.plan, checked, self.parts.entries, self.pipeline);
        let mut shown: Vec<(u16, Shown)> = Vec::new();
        for ((number, edge, _), node) in &growing.node_numbers {
            let bolt = &checked.bolts[*number];
            let (input, edge) = (if bolt.united { 0 } else { *edge }, &bolt.edges[*edge]);
            let (mut columns, mut slots) = (Vec::new(), Vec::new());
            let inputs = bolt.inputs[input].columns.iter().zip(self.slots.input(*number, input));
            for ((column, slot), from) in inputs.zip(&edge.columns) {
                if from.is_some_and(|from| there.get(&edge.stream).is_some_and(|there| there[from])) {
                    columns.push(column.clone());
                    slots.push(*slot);
                }
            }
            let stream = checked.streams[edge.stream].name.as_str().into();
            shown.push((*node, Shown { stream, slots, encoder: Encoder::new(Format::Json, &columns) }));
        }
        shown.sort_by_key(|(node, _)| *node);
        Some(Box::new(Letters { tray, shown: shown.into_iter().map(|(_, shown)| shown).collect() }))
    }

    /// The task of a bolt that is known to panic: it leaves out the tuples that make it.
    pub(super) fn careful(&self, built: Box<dyn Bolt>, bolt: usize) -> Box<dyn Bolt> {
        let Some(letters) = &self.parts.letters else { return built };
        let name = &self.parts.checked.bolts[bolt].id;
        if !letters.panics.iter().any(|panic| panic.is_of(name)) {
            return built;
        }
        let known = letters.panics.iter().filter(|panic| panic.is_tuple_of(name));
        let tuples = known.map(|panic| ((panic.split_id, panic.position), panic.text.clone()));
        Box::new(Careful::new(built, tuples.collect()))
    }

    /// Positions of a split, from this one on, at which something is known to panic.
    pub(super) fn panics_of(&self, split: u32, position: u64) -> VecDeque<u64> {
        let panics = self.parts.letters.iter().flat_map(|letters| &letters.panics);
        let own = panics.filter(|panic| panic.split_id == split && panic.position >= position);
        let positions: BTreeSet<u64> = own.filter(|panic| panic.tuple).map(|panic| panic.position).collect();
        positions.into_iter().collect()
    }
}
