//! Where a program is: what whoever catches a panic looks at.

/// The place that was entered last: whoever catches a panic finds here what panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The task; `u16::MAX`: none yet.
    pub task: u16,
    /// The node by which the tuple came in; `u16::MAX`: no tuple did, a timer fired or an epoch ended.
    pub node: u16,
}

impl At {
    /// Nowhere.
    pub const NONE: At = At { task: u16::MAX, node: u16::MAX };

    /// The node, if a tuple came in by one.
    pub fn node(self) -> Option<u16> {
        (self.node != u16::MAX).then_some(self.node)
    }
}
