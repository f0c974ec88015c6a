//! Kind `stdin`: records of standard input.
//!
//! A thread of its own reads into blocks, because a read may wait for ever and executors may not; a bounded channel makes
//! it wait when the topology does. Standard input cannot be read again: after a restart positions go on where they were,
//! with what is then written to it.

use super::decoder::{DecoderCheck, DecoderPlan, Feed, Pace, RECORD_OPTIONS, Read, Source};
use super::file::{check_pace, describe_io};
use super::joined;
use crate::component::{ComponentError, OptionSpec, SplitName, Spout, SpoutBuild, SpoutCheck, SpoutFactory, SpoutPlan};
use crate::tuple::Column;
use std::io::{self, Read as _};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

const OWN: [OptionSpec; 2] = [
    OptionSpec::optional(
        "pace",
        "\"max\" (default), a rate such as \"10000/s\", or a multiple of event time such as \"60x\"",
    ),
    OptionSpec::optional("limit", "read at most so many rows"),
];
static OPTIONS: [OptionSpec; 19] = joined(&OWN, &RECORD_OPTIONS);

const BLOCK_BYTES: usize = 64 * 1024;
const BLOCKS: usize = 8;

/// The kind `stdin`.
pub struct StdinFactory;

impl SpoutFactory for StdinFactory {
    fn kind(&self) -> &'static str {
        "stdin"
    }

    fn doc(&self) -> &'static str {
        "reads records from standard input until it is closed"
    }

    fn options(&self) -> &'static [OptionSpec] {
        &OPTIONS
    }

    fn check(&self, check: &SpoutCheck<'_>) -> Option<Box<dyn SpoutPlan>> {
        let options = &check.options;
        let pace = Pace::of(options);
        let limit = options.integer("limit", 1).map(|n| n as u64);
        let decoder =
            DecoderCheck { name: check.name, options: *options, environment: check.environment, header: &|_| None };
        let decoder = DecoderPlan::check(&decoder)?;
        check_pace(options, &pace, decoder.time());
        Some(Box::new(StdinPlan { decoder, pace, limit }))
    }
}

struct StdinPlan {
    decoder: DecoderPlan,
    pace: Pace,
    limit: Option<u64>,
}

impl SpoutPlan for StdinPlan {
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
        true
    }

    fn splits(&self) -> Result<Vec<SplitName>, ComponentError> {
        Ok(vec!["stdin".to_owned()])
    }

    fn describe(&self) -> Vec<String> {
        self.decoder.describe()
    }

    fn open(&self, build: &SpoutBuild<'_>) -> Result<Box<dyn Spout>, ComponentError> {
        let source = Blocks::spawn(io::stdin())?;
        let decoder = self.decoder.decoder(build.columns, build.split, build.split_id);
        let mut feed = Feed::new(build.split, Box::new(source), build.position, decoder, self.pace.clone());
        if let Some(limit) = self.limit {
            feed.limit(limit);
        }
        Ok(Box::new(feed))
    }
}

/// What a thread reads, block by block.
struct Blocks {
    blocks: Receiver<io::Result<Vec<u8>>>,
    block: Vec<u8>,
    used: usize,
    position: u64,
}

impl Blocks {
    /// Starts a thread that reads until the end, an error, or nobody wants the blocks any more.
    fn spawn(reader: impl io::Read + Send + 'static) -> Result<Blocks, ComponentError> {
        let (sender, blocks) = sync_channel(BLOCKS);
        std::thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(move || read_blocks(reader, &sender))
            .map_err(|e| ComponentError::io("no thread can be started to read standard input", e))?;
        Ok(Blocks { blocks, block: Vec::new(), used: 0, position: 0 })
    }
}

fn read_blocks(mut reader: impl io::Read, sender: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut block = vec![0; BLOCK_BYTES];
        let read = match reader.read(&mut block) {
            Ok(0) => return,
            Ok(n) => {
                block.truncate(n);
                Ok(block)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = read.is_err();
        if sender.send(read).is_err() || failed {
            return;
        }
    }
}

impl Source for Blocks {
    fn read(&mut self, into: &mut [u8]) -> Result<Read, ComponentError> {
        if self.used == self.block.len() {
            self.block = match self.blocks.try_recv() {
                Ok(block) => block.map_err(|e| describe_io(e, self.position))?,
                Err(TryRecvError::Empty) => return Ok(Read::Wait),
                Err(TryRecvError::Disconnected) => return Ok(Read::End),
            };
            self.used = 0;
        }
        let n = (&self.block[self.used..]).read(into).map_err(|e| describe_io(e, self.position))?;
        self.used += n;
        self.position += n as u64;
        Ok(Read::Bytes(n))
    }
}
