//! What is decided is reported, and says which rows may begin the next match.

use super::buffer::{Buffer, Path};
use super::matcher::Matcher;
use super::partials::{Emission, EmissionKind, Partials, Phase, Thread};
use super::settings::Skip;

impl Matcher {
    /// Reports what is decided.
    pub(super) fn resolve<R: Default>(
        &mut self,
        buffer: &mut Buffer<R>,
        partials: &mut Partials,
        out: &mut Vec<Emission>,
    ) {
        let mut at = 0;
        while let Some(thread) = partials.threads.get(at).copied() {
            let kind = match thread.phase {
                Phase::Waiting => match self.settings.skip {
                    Skip::PastLast | Skip::ToFirst(_) | Skip::ToLast(_) => return,
                    Skip::None => {
                        at += 1;
                        continue;
                    }
                    Skip::ToNext => {
                        at += partials.threads[at..].iter().take_while(|other| other.start == thread.start).count();
                        continue;
                    }
                },
                Phase::Accepted(_) => EmissionKind::Match(partials.matches + 1),
                Phase::TimedOut(_) => EmissionKind::TimedOut,
            };
            partials.threads.remove(at);
            let (Phase::Accepted(time) | Phase::TimedOut(time)) = thread.phase else { continue };
            let emission = Emission { kind, time, path: thread.path };
            if kind == EmissionKind::TimedOut {
                out.push(emission);
                continue;
            }
            if self.settings.skip == Skip::None && repeated(buffer, out, &emission) {
                buffer.release(thread.path);
                continue;
            }
            partials.matches += 1;
            out.push(emission);
            let next = self.goes_on(buffer, &thread);
            partials.drop_threads(buffer, |thread| thread.start < next);
        }
    }

    /// The row that may begin the next match after this one.
    fn goes_on<R: Default>(&self, buffer: &Buffer<R>, thread: &Thread) -> u64 {
        let mut path = Path::new(buffer, thread.path).backwards();
        let found = match self.settings.skip {
            Skip::None | Skip::ToNext => return 0,
            Skip::PastLast => path.next().map(|(_, row)| row.seq + 1),
            Skip::ToLast(wanted) => path.find(|(variable, _)| *variable == wanted).map(|(_, row)| row.seq),
            Skip::ToFirst(wanted) => path.filter(|(variable, _)| *variable == wanted).last().map(|(_, row)| row.seq),
        };
        found.unwrap_or(0).max(thread.start + 1)
    }
}

/// Whether the same rows as the same variables have just been reported.
fn repeated<R>(buffer: &Buffer<R>, out: &[Emission], new: &Emission) -> bool {
    let rows = |emission: &Emission| emission.path(buffer).backwards().map(|(v, row)| (v, row.seq));
    out.iter().any(|known| known.kind != EmissionKind::TimedOut && rows(known).eq(rows(new)))
}
