//! The plan that all spouts over bytes share: what is read, decoded how, at which pace, and how much of it.
//!
//! Owns what such plans have in common; where the bytes come from is an [`Origin`].

use crate::component::{Again, ComponentError, Options, SplitName, Spout, SpoutBuild, SpoutPlan};
use crate::decoder::{Decoder, DecoderPlan, Feed, Numbered, Pace, Window};
use crate::problem::Problem;
use crate::tuple::Column;

/// Where the bytes of a spout come from.
pub(super) trait Origin: Send + Sync + Sized {
    /// Whether they come to an end.
    fn finite(&self) -> bool;

    /// The splits, in order of name.
    ///
    /// # Errors
    /// The outside cannot be looked at.
    fn splits(&self) -> Result<Vec<SplitName>, ComponentError>;

    /// Starts to read a split.
    ///
    /// # Errors
    /// It cannot be opened, or the position lies outside.
    fn open(&self, plan: &Records<Self>, build: &SpoutBuild<'_>) -> Result<Feed, ComponentError>;

    /// A decoder of single records of a split, with its start behind it.
    ///
    /// # Errors
    /// The format wants a start that cannot be had any more.
    fn decoder(&self, plan: &Records<Self>, build: &SpoutBuild<'_>) -> Result<Decoder, ComponentError> {
        let mut decoder = plan.decoder.decoder(build.columns, build.split, build.split_id);
        decoder.begin(Window { bytes: &[], position: 0, last: true })?;
        Ok(decoder)
    }
}

/// A checked spout over bytes.
pub(super) struct Records<O> {
    pub(super) origin: O,
    pub(super) decoder: DecoderPlan,
    pub(super) pace: Pace,
    /// The most rows that are read of each split.
    pub(super) limit: Option<u64>,
}

impl<O: Origin> SpoutPlan for Records<O> {
    fn columns(&self) -> &[Column] {
        self.decoder.columns()
    }

    fn side_streams(&self) -> &[(&'static str, Vec<Column>)] {
        self.decoder.side_streams()
    }

    fn time(&self) -> Option<usize> {
        self.decoder.time()
    }

    fn finite(&self) -> bool {
        self.origin.finite()
    }

    fn splits(&self) -> Result<Vec<SplitName>, ComponentError> {
        self.origin.splits()
    }

    fn describe(&self) -> Vec<String> {
        self.decoder.describe()
    }

    fn open(&self, build: &SpoutBuild<'_>) -> Result<Box<dyn Spout>, ComponentError> {
        Ok(Box::new(self.origin.open(self, build)?))
    }

    fn again_shift(&self) -> Option<u32> {
        Some(crate::decoder::bits(&self.decoder))
    }

    fn again(&self, build: &SpoutBuild<'_>) -> Result<Box<dyn Again>, ComponentError> {
        Ok(Box::new(Numbered::over(&self.decoder, self.origin.decoder(self, build)?)))
    }
}

/// An event-time pace needs event time.
pub(super) fn check_pace(options: &Options<'_>, pace: &Pace, time: Option<usize>) {
    if let (Pace::Speed { .. }, None, Some(node)) = (pace, time, options.node("pace")) {
        let problem =
            Problem::error(format!("`pace` of `{}` follows event time, which there is none", options.component));
        options.problem(problem.at(node.span).hint("name the column of event time with `time`"));
    }
}
