//! What outlives a process: the store's disk, the files of the log, and a service outside; and what these do to it.

use super::random::Random;
use super::service::Service;
use crate::files::MemoryFiles;
use crate::store::{FaultyStore, Weather};
use std::ops::Range;
use std::sync::Arc;

/// What a process stands on.
pub struct Ground {
    /// Under its state.
    pub store: Arc<FaultyStore>,
    /// Under its topics.
    pub files: MemoryFiles,
    /// Where its sinks send rows.
    pub service: Service,
}

/// What one life meets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Storm {
    /// What calls of the store meet.
    pub weather: Weather,
    /// The sync of files after so many others that fails; none: none.
    pub unsynced: Option<u64>,
    /// The steps between which there is little room for files.
    pub full: Option<Range<usize>>,
    /// Whether the service takes everything at once.
    pub calm: bool,
}

impl Storm {
    /// Fair weather.
    pub fn none() -> Storm {
        Storm { calm: true, ..Storm::default() }
    }

    /// What a seed decides.
    pub fn draw(random: &mut Random) -> Storm {
        let full_after = random.one_in(6).then(|| random.below(60) as u64);
        let begin = random.below(2_000);
        Storm {
            weather: Weather {
                dies_after: random.one_in(2).then(|| random.below(60) as u64),
                fails_one_in: *random.choice(&[0, 0, 0, 3, 30]),
                unsynced_one_in: *random.choice(&[0, 0, 0, 30]),
                unreadable_one_in: *random.choice(&[0, 0, 0, 0, 300]),
                full_after,
                room_after: full_after.map(|_| random.below(12) as u64),
            },
            unsynced: random.one_in(6).then(|| random.below(40) as u64),
            full: random.one_in(3).then(|| begin..begin + random.below(1_000)),
            calm: random.one_in(3),
        }
    }
}

impl Ground {
    /// Empty disks.
    pub fn new(seed: u64) -> Ground {
        let mut random = Random::new(seed);
        Ground {
            store: Arc::new(FaultyStore::new(random.number())),
            files: MemoryFiles::new(),
            service: Service::new(random.number()),
        }
    }

    /// The process is gone and another one begins, which meets this storm. With `power_off` the whole machine was gone.
    pub fn restart(&self, power_off: bool, storm: &Storm, random: &mut Random) {
        self.store.restart(power_off, storm.weather);
        if power_off {
            self.files.crash(&mut |n| random.below(n as usize) as u64);
        }
        self.files.calm();
        if let Some(others) = storm.unsynced {
            self.files.fail_sync(others);
        }
        self.service.set_calm(storm.calm);
    }

    /// How often something has failed that is not tried again, since the process began.
    pub fn troubles(&self) -> u64 {
        self.store.troubles() - self.store.refused() + self.files.failed_syncs()
    }

    /// The same with writes that are.
    pub fn failures(&self) -> u64 {
        self.store.troubles() + self.files.failed_syncs()
    }
}
