//! Bytes of a connection to lines.
//!
//! Owns what has come of a line whose end has not. Invariant: what comes out does not depend on how the bytes were cut
//! on their way, and no more than the longest line is kept.

/// Memory for unfinished lines that is kept from one to the next.
const KEPT_BYTES: usize = 1024;

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A line without its end (`\n` or `\r\n`).
    Line(&'a [u8]),
    /// The start of a line that is longer than allowed; the rest of it is left out.
    TooLong(&'a [u8]),
}

/// The lines of one connection.
#[derive(Debug, Default)]
pub(super) struct Framing {
    partial: Vec<u8>,
    /// The rest of a line that was too long is being left out.
    skipping: bool,
}

impl Framing {
    /// Takes bytes and hands out what becomes whole by them. `most` is the longest line, without its `\n`.
    ///
    /// # Errors
    /// The first that `each` gives; the rest of the bytes is then lost.
    pub(super) fn feed<E>(
        &mut self,
        mut bytes: &[u8],
        most: usize,
        each: &mut impl FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if self.partial.is_empty() {
                each(piece(line, most))?;
                continue;
            }
            self.partial.extend_from_slice(line);
            let said = each(piece(&self.partial, most));
            self.forget();
            said?;
        }
        if self.skipping {
            return Ok(());
        }
        if self.partial.len() + bytes.len() > most {
            let wanted = (most + 1 - self.partial.len()).min(bytes.len());
            self.partial.extend_from_slice(&bytes[..wanted]);
            self.skipping = true;
            let said = each(Piece::TooLong(&self.partial));
            self.forget();
            return said;
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    /// Bytes that are kept.
    pub(super) fn held_bytes(&self) -> usize {
        self.partial.len()
    }

    /// Nothing follows: the line that has no end, if there is one. One that was too long has been told of.
    pub(super) fn end(&mut self) -> Option<Vec<u8>> {
        self.skipping = false;
        Some(std::mem::take(&mut self.partial)).filter(|partial| !partial.is_empty())
    }

    fn forget(&mut self) {
        self.partial.clear();
        if self.partial.capacity() > KEPT_BYTES {
            self.partial = Vec::new();
        }
    }
}

fn piece(line: &[u8], most: usize) -> Piece<'_> {
    match line.len() > most {
        true => Piece::TooLong(&line[..most + 1]),
        false => Piece::Line(line.strip_suffix(b"\r").unwrap_or(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Owned = Vec<(bool, Vec<u8>)>;

    fn framed(chunks: &[&[u8]], most: usize) -> (Owned, Option<Vec<u8>>) {
        let (mut framing, mut all) = (Framing::default(), Owned::new());
        for chunk in chunks {
            let fed = framing.feed::<()>(chunk, most, &mut |piece| {
                all.push(match piece {
                    Piece::Line(line) => (true, line.to_vec()),
                    Piece::TooLong(start) => (false, start.to_vec()),
                });
                Ok(())
            });
            assert_eq!(fed, Ok(()));
            assert!(framing.held_bytes() <= most);
        }
        let end = framing.end();
        (all, end)
    }

    fn naive(bytes: &[u8], most: usize) -> (Owned, Option<Vec<u8>>) {
        let mut lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
        let last = lines.pop().unwrap();
        let short = |line: &[u8]| match line {
            [rest @ .., b'\r'] => rest.to_vec(),
            line => line.to_vec(),
        };
        let one = |line: &[u8]| match line.len() > most {
            true => (false, line[..most + 1].to_vec()),
            false => (true, short(line)),
        };
        let mut all: Owned = lines.into_iter().map(one).collect();
        if last.len() > most {
            all.push(one(last));
            return (all, None);
        }
        (all, Some(last.to_vec()).filter(|l| !l.is_empty()))
    }

    proptest! {
        #[test]
        fn however_bytes_are_cut_the_lines_are_those_of_the_whole(
            bytes in prop::collection::vec(prop::sample::select(b"ab\r\n".to_vec()), 0..60),
            places in prop::collection::vec(0usize..60, 0..8),
            most in 1usize..9,
        ) {
            let mut places: Vec<usize> = places.into_iter().map(|p| p.min(bytes.len())).collect();
            places.push(bytes.len());
            places.sort_unstable();
            let mut from = 0;
            let chunks: Vec<&[u8]> = places.into_iter().map(|to| &bytes[std::mem::replace(&mut from, to)..to]).collect();
            prop_assert_eq!(framed(&chunks, most), naive(&bytes, most));
        }
    }

    #[test]
    fn a_failure_of_the_taker_ends_the_bytes_and_keeps_no_half_line() {
        let mut framing = Framing::default();
        let mut lines = 0;
        let fed = framing.feed(b"a\nb\nc\nd", 9, &mut |_| {
            lines += 1;
            if lines == 2 { Err("full") } else { Ok(()) }
        });
        assert_eq!((fed, lines, framing.end()), (Err("full"), 2, None));
    }
}
